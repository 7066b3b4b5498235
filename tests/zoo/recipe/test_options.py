"""The constructor is the schema."""

from functools import partial

from zoo.recipe.fields import Conv, Index, Number, Positive
from zoo.recipe.options import REQUIRED, number_option, options_of


class Example:
    def __init__(self, width, height, *, conv: Conv, last: Conv | None = None, rate: Positive = 0.5):
        pass


def test_positional_parameters_are_the_builders_and_the_rest_are_options():
    """Keyword-only parameters are options with their defaults; what has no default is required."""
    options = options_of(Example)
    assert list(options) == ["conv", "last", "rate"]
    assert options["conv"].default is REQUIRED
    assert options["rate"].default == 0.5


def test_a_table_type_marks_a_component():
    """`Conv` and `Conv | None` are looked up in the table of convolutions."""
    options = options_of(Example)
    assert [options[name].table for name in ("conv", "last", "rate")] == ["convs", "convs", None]


def test_a_preset_fixes_an_option():
    """What a preset gives is the default and cannot be exchanged."""
    options = options_of(partial(Example, conv="gcn"))  # pyright: ignore[reportArgumentType]
    assert options["conv"].fixed
    assert options["conv"].default == "gcn"
    assert not options["rate"].fixed


def test_foreign_constructors_without_keyword_only_parameters_work():
    """Any parameter with a default is an option, as in torch.nn."""
    import torch

    assert options_of(torch.nn.LeakyReLU)["negative_slope"].default == 0.01


def test_a_split_declares_its_number():
    """By the annotation of an option; one that is only called as others' numbers are is not taken for one."""

    def declared(data, run_seed, *, year: Number | None = None, seed: Index = 0):
        raise AssertionError

    def undeclared(data, run_seed, *, seed: Index | None = None):
        raise AssertionError

    assert number_option(declared) == number_option(partial(declared, seed=1)) == "year"
    assert number_option(undeclared) is None
