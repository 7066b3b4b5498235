"""Words and seeds."""

import pytest
import typer

from zoo.cli.arguments import parse_seeds, split_words
from zoo.errors import RecipeError


@pytest.mark.parametrize(
    ("written", "seeds"), [("0..4", [0, 1, 2, 3, 4]), ("3", [3]), ("0,2,7..9", [0, 2, 7, 8, 9]), ("1,1..2", [1, 2])]
)
def test_seeds_are_ranges_and_lists(written, seeds):
    """Both ends count, and no seed is run twice."""
    assert parse_seeds(written) == seeds


@pytest.mark.parametrize("wrong", ["", "a", "4..0", "1..", "-1", "1;2"])
def test_what_is_no_list_of_seeds_is_refused(wrong):
    """The error shows the right form."""
    with pytest.raises(typer.BadParameter, match="expected"):
        parse_seeds(wrong)


def test_overrides_are_told_from_recipes():
    """`=` and `~` make an override wherever they stand."""
    assert split_words(["a", "x=1", "b", "~y"]) == (["a", "b"], ["x=1", "~y"])
    with pytest.raises(RecipeError, match="at least one recipe"):
        split_words(["x=1"])
