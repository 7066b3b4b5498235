"""From a name or a path, and what is typed after it, to a checked `Recipe`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from registry import load_plugin
from zoo.errors import Problem, RecipeError
from zoo.recipe import merge, text
from zoo.recipe.check import check
from zoo.recipe.consent import Plugins, consented
from zoo.recipe.flat import flat
from zoo.recipe.read import read
from zoo.recipe.schema import Recipe
from zoo.recipe.several import several

Overrides = Mapping[str, Any] | Sequence[str] | str


def load(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    plugins: Plugins = (),
    *,
    allow_plugins: bool = False,
) -> Recipe:
    """Read, extend, override, check.

    recipe: a shipped recipe's name, the path of a YAML file, or a `Recipe`. overrides: `["model.depth=128", "~clip"]`
    or `{"model.depth": 128}`; their order does not count, and what they set back besides is the recipe's `resets`.
    plugins: files to run first, before those that the recipe names. Of both, one may stand for a list of one.
    allow_plugins: run the plug-ins that the recipe, or an override, names. Otherwise only those are run that are among
    `plugins`, or that a `Recipe` has already, and any other is an error.
    Raises: RecipeError with every problem; RegistryError if a plug-in fails.
    """
    if isinstance(recipe, Recipe) and not overrides and not plugins:
        return recipe
    if isinstance(recipe, Recipe):
        name, tree = recipe.name, recipe.plain()
    else:
        name, tree = read(recipe)
    if overrides:
        tree = merge.without(tree, merge.OWN)
    if isinstance(overrides, Mapping):
        overrides = {
            path: value.item() if isinstance(value, np.generic) else value for path, value in overrides.items()
        }
    else:
        overrides = several(overrides)
    _check_depth(name, overrides)
    changes, misread = merge.changes(overrides)
    before, (tree, problems) = tree, merge.apply(tree, changes)
    plugins = several(plugins)
    named = tree.get("plugins") or []
    files = consented(
        map(str, named if isinstance(named, list) else [named]),
        plugins,
        known=recipe.plugins if isinstance(recipe, Recipe) else (),
        allow=allow_plugins,
        recipe=name,
    )
    for file in files:
        load_plugin(file)
    if files:
        tree["plugins"] = [str(file) for file in files]
    checked = check(name, tree, [*misread, *problems])
    earlier, resets = (recipe.changes, recipe.resets) if isinstance(recipe, Recipe) else ((), ())
    checked.changed([*earlier, *(said for change in changes for said in _as_typed(change))])
    return checked.noting([*resets, *merge.resets(before, changes, checked.plain())])


def _as_typed(change: merge.Change) -> list[str]:
    """A change as one would type it; of a mapping, that of each value in it."""
    if change.removes:
        return [f"~{change.path}"]
    return [f"{path}={value}" for path, value in flat(change.value, change.path)]


def _check_depth(name: str, overrides: Mapping[str, Any] | Sequence[str]) -> None:
    """Refuse a path with more dots than a recipe has floors, which would be followed one call inside the other."""
    paths = [path.partition("=")[0] for path in overrides]
    if deep := [path for path in paths if path.count(".") > text.DEPTH or len(path) > text.BYTES]:
        said = f"a path of {deep[0].count('.') + 1} words — expected at most {text.DEPTH}"
        raise RecipeError(name, [Problem(f"{deep[0][:20]}…", said)])
