"""Recipe files: their names and places, their parents, and the plain values in them, not yet checked."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from registry.name_errors import did_you_mean
from zoo.errors import Problem, RecipeError
from zoo.recipe import overrides, yaml_text
from zoo.recipe.values import short_repr
from zoo.system.files import absolute, expanded
from zoo.untrusted import check_name

STUDIES = "studies"  # the folder of study files among the recipes
YAML = (".yaml", ".yml")
GENERATIONS = 32  # of recipes that extend one another
_PACKAGE = Path(__file__).resolve().parent.parent
_STUDY = {"base", "vary"}


def shipped() -> Path:
    """Return the folder of the recipes that come with the zoo: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "recipes"
    return installed if installed.is_dir() else _PACKAGE.parent / "recipes"


def names() -> list[str]:
    """List every shipped recipe that can be trained, by the name to type; `_base` holds parts, `studies` others."""
    root = shipped()
    found = (file.relative_to(root).with_suffix("").as_posix() for file in root.rglob("*.yaml"))
    return sorted(name for name in found if not name.startswith(("_", f"{STUDIES}/")))


def studies() -> list[str]:
    """List the shipped studies, by the name to type."""
    return sorted(file.stem for file in (shipped() / STUDIES).glob("*.yaml"))


def study(name: str) -> Path | None:
    """Find the file of a shipped study given by name, `hello` or `studies/hello`; None if there is none."""
    stem = name.removeprefix(f"{STUDIES}/")
    return shipped() / STUDIES / f"{stem}.yaml" if stem in studies() else None


def find(recipe: str) -> Path | None:
    """Find the file of a recipe given by name or by path, relative to the working directory; None if there is none."""
    if recipe.endswith(YAML):
        return _file(expanded(recipe))
    root = shipped().resolve()
    file = _file(root / f"{recipe}.yaml")
    return file if file is not None and file.is_relative_to(root) else None


def relative(file: Path, named: object) -> Path:
    """Return the path that a file names: relative to it, unless it begins with / or ~."""
    return file.parent / expanded(str(named))


def is_change(word: str) -> bool:
    """Return true for the path of a part of recipes, such as `model.depth`: its user wants to change that part."""
    return word.partition(".")[0] in _recipe_keys() and not word.endswith(YAML)


def is_study(tree: Mapping[str, Any]) -> bool:
    """Return true if there is a key of studies and none of recipes."""
    return not _STUDY.isdisjoint(tree) and _recipe_keys().isdisjoint(tree)


def is_recipe(tree: Mapping[str, Any]) -> bool:
    """Return true if there is a key of recipes and none of studies."""
    return not _recipe_keys().isdisjoint(tree) and _STUDY.isdisjoint(tree)


def _recipe_keys() -> set[str]:
    """Return the keys of recipes that studies do not have."""
    from zoo.recipe.recipe import Recipe  # for listing names, pydantic is not needed

    return {*Recipe.model_fields, "extends"} - {"name", "description", "plugins", "seeds"}


def read(recipe: str | Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the tree of a recipe, its parents merged beneath it.

    The name is the file's, or what it says itself, as the recipe.yaml of a run does.
    Raises: RecipeError if there is none, it or a parent cannot be read, or its name cannot be that of a run's folder.
    """
    asked = str(recipe)
    file = find(asked)
    if file is None and study(asked):
        raise _a_study(asked)
    if file is None:
        near = f" — a change is written {asked}=VALUE" if is_change(asked) else did_you_mean(asked, names())
        expected = f"expected a name from 'zoo list recipes' or a .yaml file{near}"
        raise RecipeError(asked, [Problem("", f"no such recipe — {expected}")])
    tree = _with_parents(file, (), asked)
    own = tree.pop("name", None)
    if not isinstance(own, str | None):
        raise RecipeError(str(file), [Problem("name", f"{short_repr(own)} is not valid — expected a text")])
    name = _name_of(file) if own is None else own
    try:
        check_name(name)
    except ValueError as error:
        problem = Problem("", f"{error} — rename the file") if own is None else Problem("name", str(error))
        raise RecipeError(str(file), [problem]) from error
    return name, tree


def _with_parents(file: Path, children: tuple[Path, ...], named: str) -> dict[str, Any]:
    if file in children:
        chain = " → ".join(path.stem for path in (*children, file))
        raise RecipeError(str(file), [Problem("extends", f"recipes extend each other in a circle: {chain}")])
    if len(children) >= GENERATIONS:
        problem = Problem("extends", f"more than {GENERATIONS} recipes extend one another — expected few")
        raise RecipeError(str(children[0]), [problem])
    tree = yaml_text.read(file)
    if is_study(tree):
        raise _a_study(named)
    if plugins := tree.get("plugins"):
        tree["plugins"] = [
            str(relative(file, plugin)) for plugin in (plugins if isinstance(plugins, list) else [plugins])
        ]
    extends = tree.pop("extends", None)
    if extends is None:
        return tree
    parent = str(extends)
    above = _parent(file, parent)
    if above is None:
        among = "" if parent.endswith(YAML) else " or among the shipped ones"
        near = did_you_mean(parent, names())
        raise RecipeError(str(file), [Problem("extends", f"no recipe {extends!r} beside this file{among}{near}")])
    return overrides.merge(overrides.without(_with_parents(above, (*children, file), parent), overrides.OWN), tree)


def _parent(file: Path, named: str) -> Path | None:
    """Find the recipe that a file extends: one beside it, by its path or without the ending, else a shipped one."""
    if named.endswith(YAML):
        return _file(relative(file, named))
    beside = (_file(relative(file, named + ending)) for ending in YAML)
    return next((found for found in beside if found is not None), None) or find(named)


def _a_study(named: str) -> RecipeError:
    word = quote(named)
    ways = f"to train it: zoo study run {word}; to look at it: zoo study status {word}"
    return RecipeError(named, [Problem("", f"is a study — expected a recipe — {ways}")])


def _name_of(file: Path) -> str:
    root = shipped().resolve()
    return file.relative_to(root).with_suffix("").as_posix() if file.is_relative_to(root) else file.stem


def _file(path: Path) -> Path | None:
    try:
        return absolute(path) if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL in it, links in a circle: no file's name
        return None
