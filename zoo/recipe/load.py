"""From a name or a path, and what is typed after it, to a checked `Recipe`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from registry import load_plugin
from zoo.errors import Problem, RecipeError
from zoo.recipe import merge, text
from zoo.recipe.check import check
from zoo.recipe.consent import consented
from zoo.recipe.read import read
from zoo.recipe.schema import Recipe

Overrides = Mapping[str, Any] | Sequence[str]


def load(
    recipe: str | Path | Recipe,
    overrides: Overrides = (),
    plugins: Sequence[str | Path] = (),
    *,
    allow_plugins: bool = False,
) -> Recipe:
    """Read, extend, override, check.

    recipe: a shipped recipe's name, the path of a YAML file, or a `Recipe`. overrides: `["model.depth=128", "~clip"]`
    or `{"model.depth": 128}`. plugins: files to run first, before those that the recipe names.
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
    _check_depth(name, overrides)
    if isinstance(overrides, Mapping):
        typed: list[str] = []
        for path, value in overrides.items():
            tree = merge.put(tree, path, value.item() if isinstance(value, np.generic) else value)
    else:
        typed = list(overrides)
    tree, problems = merge.apply(tree, typed)
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
    return check(name, tree, problems)


def _check_depth(name: str, overrides: Overrides) -> None:
    """Refuse a path with more dots than a recipe has floors, which would be followed one call inside the other."""
    paths = [path.partition("=")[0] for path in overrides]
    if deep := [path for path in paths if path.count(".") > text.DEPTH or len(path) > text.BYTES]:
        said = f"a path of {deep[0].count('.') + 1} words — expected at most {text.DEPTH}"
        raise RecipeError(name, [Problem(f"{deep[0][:20]}…", said)])
