"""The nearest right spelling of a name, and errors that offer it."""

import pytest

from registry.name_errors import UnknownName, did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "match"),
    [("spectal", "spectral"), ("Frobenius", "frobenius"), ("LAYER", "layer"), ("qqq", None), ("", None)],
)
def test_the_nearest_spelling(word, match):
    """A misspelt name finds the one that was meant, in capitals or not; what is like nothing finds nothing."""
    assert nearest(word, ["frobenius", "spectral", "layer"]) == match


def test_a_long_word_is_not_searched_for():
    """The search takes the square of a word's length; a page of text is no misspelt name."""
    assert nearest("layer" * 30, ["layer" * 30]) is None


def test_an_unknown_name_is_told_with_those_that_are_known():
    """All of them in order, and the nearest; a table without any says so."""
    error = UnknownName("normalizers", "spectal", ["spectral", "layer"])
    assert str(error) == (
        "normalizers — unknown name 'spectal' — expected one of: layer, spectral — did you mean 'spectral'?"
    )
    assert "expected one of: none" in str(UnknownName("models", "x", []))
    assert did_you_mean("x", ["spectral"]) == ""
