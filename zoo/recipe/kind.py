"""Recipe, study or a part of a recipe: what a file holds or a word stands for, whatever else is wrong with it."""

from collections.abc import Mapping
from typing import Any

from zoo.recipe.schema import Recipe

_STUDY = {"base", "vary"}
_RECIPE = {*Recipe.model_fields, "extends"} - {"name", "description", "plugins", "seeds"}  # which studies have, too


def is_change(word: str) -> bool:
    """Whether a word is the path of a part of recipes, such as `model.depth`, which somebody wants to change."""
    return word.partition(".")[0] in _RECIPE and not word.endswith((".yaml", ".yml"))


def is_study(tree: Mapping[str, Any]) -> bool:
    """Whether it has a key of studies and none of recipes."""
    return not _STUDY.isdisjoint(tree) and _RECIPE.isdisjoint(tree)


def is_recipe(tree: Mapping[str, Any]) -> bool:
    """Whether it has a key of recipes and none of studies."""
    return not _RECIPE.isdisjoint(tree) and _STUDY.isdisjoint(tree)
