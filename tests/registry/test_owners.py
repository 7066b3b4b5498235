"""Whose code it is: components by name and place."""

import torch

from registry import normalizers
from registry.owners import described, owner_of
from zoo.normalizers.per_graph import PairNorm


def test_an_entry_owns_its_class_and_what_is_in_it():
    """A class, its methods and what is defined within are the entry's; a name that begins alike is not."""
    found = owner_of("zoo.normalizers.per_graph", "PairNorm.forward")
    assert found is not None and (found.table, found.name) == ("normalizers", "pair")
    assert owner_of("zoo.normalizers.per_graph", "PairNormal") is None
    assert owner_of("elsewhere", "PairNorm") is None


def test_components_are_described_by_name_and_place():
    """The zoo's own by name, a registered one with its file and line, others by their class."""
    assert described(PairNorm(3), "normalizer") == "normalizer pair"

    class Mine(PairNorm):
        """A subclass of the zoo's, which is not the zoo's."""

    here = f"{__file__}:"
    assert described(Mine(3), "normalizer").startswith("normalizer test_components_are_described_by_name_and_place")
    normalizers.register("mine-here")(Mine)
    try:
        said = described(Mine(3), "normalizer")
        assert said.startswith("normalizer mine-here (") and said.split("(")[1].split(":")[0] in here
    finally:
        normalizers.unregister("mine-here")


def test_a_class_that_was_made_by_a_call_is_placed_by_its_methods():
    """`type(…)` leaves no source; a method of the class has a line."""
    made = type("Made", (torch.nn.Module,), {"forward": lambda self, x: x})
    assert "test_owners.py:" in described(made(), "activation")


def test_functions_are_described_too():
    """A function that is registered is the component, not its class."""
    assert described(owner_of, "data set").startswith("data set owner_of (")
