"""From a name or a path, and what is typed after it, to a checked `Recipe`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry import load_plugin
from zoo.recipe import merge
from zoo.recipe.check import check
from zoo.recipe.read import read
from zoo.recipe.schema import Recipe

Overrides = Mapping[str, Any] | Sequence[str]


def load(recipe: str | Path | Recipe, overrides: Overrides = (), plugins: Sequence[str | Path] = ()) -> Recipe:
    """Read, extend, override, check.

    recipe: a shipped recipe's name, the path of a YAML file, or a `Recipe`. overrides: `["model.depth=128", "~clip"]`
    or `{"model.depth": 128}`. plugins: files to run first, before those that the recipe names.
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
        typed: list[str] = []
        for path, value in overrides.items():
            tree = merge.put(tree, path, value)
    else:
        typed = list(overrides)
    tree, problems = merge.apply(tree, typed)
    named = tree.get("plugins") or []
    files = [str(file) for file in (*plugins, *(named if isinstance(named, list) else [named]))]
    for file in files:
        load_plugin(file)
    if files:
        tree["plugins"] = [str(Path(file).expanduser().resolve()) for file in dict.fromkeys(files)]
    return check(name, tree, problems)
