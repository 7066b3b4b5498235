"""Numbers as text: fixed decimals, a real minus sign, a dash for none."""

from zoo.studies import formatting


def test_scores_and_spreads():
    """Three decimals or as asked; no ± without a spread."""
    assert formatting.score(0.82349) == "0.823"
    assert formatting.score(-0.5, 1) == "−0.5"
    assert formatting.spread(0.8, 0.0071) == "0.800 ± 0.007"
    assert formatting.spread(0.8, None, 2) == "0.80"
    assert (formatting.score(None), formatting.spread(None, None), formatting.interval(0.1, None)) == ("–", "–", "–")


def test_differences_have_their_sign():
    """Plus as well as minus, the one that is as wide as a plus, so that a column lines up."""
    assert formatting.signed(0.0123) == "+0.012"
    assert formatting.signed(-0.0123) == "−0.012"
    assert formatting.signed_interval(-0.001, 0.025) == "[−0.001, +0.025]"
    assert formatting.interval(0.81, 0.836) == "[0.810, 0.836]"
    assert formatting.signed(None) == formatting.signed_interval(None, None) == "–"


def test_small_p_are_bounded():
    """Below a thousandth the digits say nothing more."""
    assert [formatting.p_value(p) for p in (1.0, 0.0123, 0.001, 0.0009999, None)] == [
        "1.000",
        "0.012",
        "0.001",
        "<0.001",
        "–",
    ]


def test_words_for_counts_and_lists():
    """As one would write them."""
    assert formatting.numbers([2, 0, 1, 7, 8, 5, 5]) == "0–2, 5, 7, 8"
    assert formatting.numbers([]) == ""
    assert [formatting.several(["a", "b", "c"][:size]) for size in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [formatting.count(number, "run") for number in (1, 0, 2)] == ["1 run", "0 runs", "2 runs"]


def test_labels_that_are_numbers():
    """As Python reads them; words, and several numbers in one label, are none."""
    assert all(map(formatting.is_number, ("2", "0.5", "-1e-3", "inf")))
    assert not any(map(formatting.is_number, ("", "none", "2 + 3", "frobenius c=1")))
