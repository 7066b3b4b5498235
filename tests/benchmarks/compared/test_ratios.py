import numpy as np
import pytest

from compared.ratios import exponent, of_rounds, quartiles


def test_quartiles_are_numpys():
    """Quartiles interpolate as NumPy's percentiles do."""
    values = list(np.random.default_rng(0).random(17))
    assert quartiles(values) == pytest.approx(np.percentile(values, [25, 50, 75]))
    assert quartiles([3.0]) == [3.0, 3.0, 3.0]


def test_ratios_are_taken_round_by_round():
    """A round in which both are slow says nothing of either."""
    assert of_rounds([1.0, 10.0, 2.0], [2.0, 20.0, 4.0]) == [0.5, 0.5, 0.5]


def test_exponent_is_the_slope_of_a_power_law():
    """c·n^0.6 gives 0.6; of noisy values, the slope that polyfit finds."""
    sizes = [64.0, 128.0, 256.0, 512.0]
    assert exponent({size: 3 * size**0.6 for size in sizes}) == pytest.approx(0.6)
    noisy = dict(zip(sizes, [1.0, 2.2, 3.9, 8.5], strict=True))
    assert exponent(noisy) == pytest.approx(np.polyfit(np.log(sizes), np.log(list(noisy.values())), 1)[0])
