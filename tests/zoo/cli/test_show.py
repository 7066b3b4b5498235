"""`zoo show`."""

import json

from zoo.recipe import text
from zoo.recipe.check import check
from zoo.recipe.load import load


def test_a_recipe_is_shown_resolved(zoo):
    """What is shown reads back to the recipe, with the override in it."""
    shown = text.parse(zoo("show", "hello", "model.depth=8").stdout)
    assert check("hello", shown) == load("hello", ["model.depth=8"])


def test_a_name_is_shown_with_its_options(zoo):
    """A registered name shows documentation, options, defaults."""
    done = zoo("show", "frobenius").stdout
    assert "normalizers · built-in" in done
    assert "c: 1.0" in done
    assert json.loads(zoo("show", "res-gat", "--json").stdout)["options"]["conv"] == "gat"


def test_an_unknown_name_suggests_the_nearest(zoo):
    """Neither recipe nor name: an error with the nearest of both."""
    done = zoo("show", "frobenuis")
    assert done.returncode == 2
    assert "did you mean 'frobenius'" in done.stderr
