"""Numbers in sentences: short, and none too long to read."""

import math

import pytest

from zoo.probes.numbers import growth, readable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.2345, "1.23"),
        (0.0123, "0.0123"),
        (733.6, "734"),
        (733610441.698, "7.3e+08"),
        (0.00012, "1.2e-04"),
        (-2.5, "-2.5"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_numbers_are_readable(value, text):
    """Few digits near 1, powers of ten far from it, a word for what is no number."""
    assert readable(value) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "1"),
        (math.log(1.2), "1.2"),
        (math.log(733610441.698), "7.3e+08"),
        (1e4, "1e+4343"),
        (-1e4, "1e-4343"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "0"),
    ],
)
def test_growth_beyond_the_range_of_numbers_is_a_power_of_ten(rate, text):
    """e^rate overflows from 710 on, and is written all the same."""
    assert growth(rate) == text
