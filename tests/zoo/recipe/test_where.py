"""Shipped recipes: all there, all right."""

import pytest

from zoo.recipe import where
from zoo.recipe.load import load

DATA = ("cora", "citeseer", "chameleon", "squirrel")
EXPECTED = {
    "hello",
    "hello-without",
    "cora-gcn",
    "cora-gat",
    "cora-gcn-64",
    "cora-res-gcn-512",
    *(f"{data}-res-{conv}-64" for data in DATA for conv in ("gcn", "gat")),
}


def test_the_promised_recipes_are_shipped():
    """Names that documentation and studies rely on exist."""
    assert set(where.names()) >= EXPECTED


@pytest.mark.parametrize("name", where.names())
def test_every_shipped_recipe_is_right_and_described(name):
    """Each loads without a problem, says what it is, and begins with a command that runs it."""
    assert load(name).description
    file = where.find(name)
    assert file is not None
    command, *_ = file.read_text().splitlines()
    assert command.startswith("# zoo train")
    assert name in command.split()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_measured_figures_stand_in_the_header(name):
    """Every full recipe carries the figure it reached and the command that gave it."""
    measured = load(name).measured
    assert measured is not None
    assert measured.command.startswith(f"zoo train {name}")
