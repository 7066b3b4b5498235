"""Recipe, study or a part of a recipe."""

import pytest

from zoo.recipe import text, where
from zoo.recipe.kind import is_change, is_recipe, is_study


def test_what_ships_is_told_apart():
    """Every shipped recipe is one, every shipped study is one, and none is both."""
    for name in where.names():
        file = where.find(name)
        assert file
        tree = text.read(file)
        assert (is_recipe(tree), is_study(tree)) == (True, False), name
    for name in where.studies():
        file = where.study(name)
        assert file
        tree = text.read(file)
        assert (is_recipe(tree), is_study(tree)) == (False, True), name


@pytest.mark.parametrize("keys", [(), ("seeds",), ("base", "model"), ("vary", "extends"), ("nonsense",)], ids=str)
def test_what_may_be_either_is_neither(keys):
    """An empty mapping, what both have, and a mixture are left to whoever checks them."""
    tree = dict.fromkeys(keys)
    assert not is_recipe(tree)
    assert not is_study(tree)


def test_a_path_without_its_value_is_known():
    """`model.depth` is what somebody wanted to change; a recipe's file or another word is not."""
    assert is_change("model.depth")
    assert is_change("normalizer")
    assert not any(map(is_change, ("model.yaml", "hello", "depth", "")))
