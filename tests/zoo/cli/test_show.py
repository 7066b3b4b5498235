"""`zoo show`."""

import json

from zoo.recipe import yaml_text
from zoo.recipe.check import check
from zoo.recipe.load import load


def test_a_recipe_is_shown_resolved(zoo):
    """What is shown reads back to the recipe, with the override in it."""
    shown = yaml_text.parse(zoo("show", "hello", "model.depth=8").stdout)
    assert check("hello", shown) == load("hello", ["model.depth=8"])


def test_a_name_is_shown_with_its_options(zoo):
    """A registered name shows documentation, options, defaults."""
    done = zoo("show", "frobenius").stdout
    assert "normalizers · built-in" in done
    assert "c: 1.0   float > 0 or 'auto' or a name from controllers: adaptive" in done
    assert json.loads(zoo("show", "res-gat", "--json").stdout)[0]["options"]["conv"] == "gat"


def test_an_unknown_name_suggests_the_nearest(zoo):
    """Neither recipe nor name: an error with the nearest of both."""
    done = zoo("show", "frobenuis")
    assert done.returncode == 2
    assert "did you mean 'frobenius'" in done.stderr


def test_what_a_change_sets_back_is_said(zoo_here):
    """On standard error, in a line; standard output is the recipe alone, whatever the order of the changes."""
    done = zoo_here("show", "hello", "model=res-gat", "--json")
    assert json.loads(done.out)[0]["model"]["depth"] == 2
    assert done.err == "note: model=res-gat resets model.depth 64 → 2\n"
    done = zoo_here("show", "hello", "model.depth=4", "model=res-gat", "--json")
    assert (json.loads(done.out)[0]["model"]["depth"], done.err) == (4, "")
