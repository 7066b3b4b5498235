"""Components of recipes as registered objects that wait for the rest of their arguments."""

import pytest

from registry import normalizers, residuals
from zoo.errors import ComponentError
from zoo.factory import factory
from zoo.normalizers.frobenius import Frobenius
from zoo.recipe.recipe import Component


def test_options_are_applied():
    """What the recipe says reaches the constructor; the builder adds the rest when it calls."""
    made = factory(Component(name="frobenius", options={"c": 0.25}), "normalizers")()
    assert isinstance(made, Frobenius)
    assert float(made.c) == 0.25


def test_what_is_made_is_held_against_its_table():
    """A plug-in's function that returns something else is told so, with what its table expects."""

    @normalizers.register("wrong")
    def wrong():
        """Return no normaliser."""
        return 3

    with pytest.raises(ComponentError, match=r"wrong.*expected.*WeightNormalizer"):
        factory(Component(name="wrong"), "normalizers")()


def test_components_within_options_are_factories_too():
    """An option that is a component itself arrives as what makes it, with its own options."""
    conv = Component(name="gat", options={"heads": 2})
    made = factory(Component(name="stack", options={"conv": conv, "residual": Component(name="add")}), "models")
    assert made.keywords["conv"].keywords == {"heads": 2}
    assert made.keywords["residual"].func is residuals.get("add")
