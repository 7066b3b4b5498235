"""A recipe's text with its parents beneath it: plain values, not yet checked."""

from pathlib import Path
from shlex import quote
from typing import Any

from registry.errors import did_you_mean
from zoo.errors import Problem, RecipeError
from zoo.recipe import merge, text, where
from zoo.recipe.kind import is_change, is_study
from zoo.recipe.shown import shown
from zoo.untrusted import check_name

GENERATIONS = 32  # recipes that extend one another


def read(recipe: str | Path) -> tuple[str, dict[str, Any]]:
    """The name and the merged tree of a recipe, with its parents beneath it, not yet checked.

    The name is the file's, or what it says itself, as the recipe.yaml of a run does.

    Raises: RecipeError if there is none, it or a parent cannot be read, or its name cannot be that of a run's folder.
    """
    file = where.find(str(recipe))
    if file is None:
        if where.study(str(recipe)):
            raise _a_study(str(recipe))
        change = f" — a change is written {recipe}=VALUE" if is_change(str(recipe)) else ""
        near = change or did_you_mean(str(recipe), where.names())
        said = f"no such recipe — expected a name from 'zoo list recipes' or a .yaml file{near}"
        raise RecipeError(str(recipe), [Problem("", said)])
    tree = _extended(file, (), str(recipe))
    own = tree.pop("name", None)
    if not isinstance(own, str | None):
        raise RecipeError(str(file), [Problem("name", f"{shown(own)} is not valid — expected a text")])
    name = _name_of(file) if own is None else own
    try:
        check_name(name)
    except ValueError as error:
        said = f"{error} — rename the file" if own is None else str(error)
        raise RecipeError(str(file), [Problem("" if own is None else "name", said)]) from error
    return name, tree


def _a_study(named: str) -> RecipeError:
    word = quote(named)
    said = f"is a study — expected a recipe — to train it: zoo study run {word}; to look at it: zoo study status {word}"
    return RecipeError(named, [Problem("", said)])


def _extended(file: Path, children: tuple[Path, ...], named: str) -> dict[str, Any]:
    if file in children:
        chain = " → ".join(path.stem for path in (*children, file))
        raise RecipeError(str(file), [Problem("extends", f"recipes extend each other in a circle: {chain}")])
    if len(children) >= GENERATIONS:
        said = f"more than {GENERATIONS} recipes extend one another — expected few"
        raise RecipeError(str(children[0]), [Problem("extends", said)])
    tree = text.read(file)
    if is_study(tree):
        raise _a_study(named)
    if plugins := tree.get("plugins"):
        several = plugins if isinstance(plugins, list) else [plugins]
        tree["plugins"] = [str(where.relative(file, plugin)) for plugin in several]
    parent = tree.pop("extends", None)
    if parent is None:
        return tree
    above = where.parent(file, str(parent))
    if above is None:
        among = "" if str(parent).endswith(where.YAML) else " or among the shipped ones"
        near = did_you_mean(str(parent), where.names())
        raise RecipeError(str(file), [Problem("extends", f"no recipe {parent!r} beside this file{among}{near}")])
    return merge.merge(merge.without(_extended(above, (*children, file), str(parent)), merge.OWN), tree)


def _name_of(file: Path) -> str:
    root = where.shipped().resolve()
    return file.relative_to(root).with_suffix("").as_posix() if file.is_relative_to(root) else file.stem
