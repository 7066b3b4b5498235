"""Numbers as text: fixed decimals, a real minus sign, a dash for none."""

from zoo.studies import formatting as figures


def test_scores_and_spreads():
    """Three decimals or as asked; no ± without a spread."""
    assert figures.score(0.82349) == "0.823"
    assert figures.score(-0.5, 1) == "−0.5"
    assert figures.spread(0.8, 0.0071) == "0.800 ± 0.007"
    assert figures.spread(0.8, None, 2) == "0.80"
    assert (figures.score(None), figures.spread(None, None), figures.interval(0.1, None)) == ("–", "–", "–")


def test_differences_have_their_sign():
    """Plus as well as minus, the one that is as wide as a plus, so that a column lines up."""
    assert figures.signed(0.0123) == "+0.012"
    assert figures.signed(-0.0123) == "−0.012"
    assert figures.signed_interval(-0.001, 0.025) == "[−0.001, +0.025]"
    assert figures.interval(0.81, 0.836) == "[0.810, 0.836]"
    assert figures.signed(None) == figures.signed_interval(None, None) == "–"


def test_small_p_are_bounded():
    """Below a thousandth the digits say nothing more."""
    assert [figures.p_value(p) for p in (1.0, 0.0123, 0.001, 0.0009999, None)] == [
        "1.000",
        "0.012",
        "0.001",
        "<0.001",
        "–",
    ]


def test_words_for_shares_counts_and_lists():
    """As one would write them."""
    assert (figures.percent(0.95), figures.percent(0.999)) == ("95 %", "99.9 %")
    assert figures.numbers([2, 0, 1, 7, 8, 5, 5]) == "0–2, 5, 7, 8"
    assert figures.numbers([]) == ""
    assert [figures.several(["a", "b", "c"][:size]) for size in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert (figures.count(1, "run"), figures.count(0, "run"), figures.count(2, "axis", "axes")) == (
        "1 run",
        "0 runs",
        "2 axes",
    )


def test_labels_that_are_numbers():
    """As Python reads them; words, and several numbers in one label, are none."""
    assert all(map(figures.is_number, ("2", "0.5", "-1e-3", "inf")))
    assert not any(map(figures.is_number, ("", "none", "2 + 3", "frobenius c=1")))
