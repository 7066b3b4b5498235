"""Numbers on the host."""

import math

import numpy as np
import pytest
import torch

from zoo.probes.reading import Reading, growth, readable


def profile(*mu: float) -> Reading:
    """A reading of one gradient profile."""
    return Reading.of({"gradients.mu.plain": torch.tensor(mu, dtype=torch.float64)})


def test_first_last_and_ratio():
    """The figures of a profile, and NaN where the last block got nothing."""
    reading = profile(6, 1, 2)
    assert (reading.first, reading.last, reading.ratio) == (6, 2, 3)
    assert math.isnan(profile(1, 0).ratio)
    assert math.isnan(profile(1, math.nan).ratio)
    assert profile(math.inf, 1).ratio == math.inf


def test_tensors_arrive_with_their_shapes_and_values():
    """Scalars, series and tables of any type become float64 arrays of the same shape."""
    tensors = {
        "a": torch.tensor(0.1, dtype=torch.float64),
        "b": torch.arange(6).reshape(2, 3),
        "c": torch.tensor([1.5, math.nan], requires_grad=True),
        "d": torch.zeros(0),
        "e": torch.tensor([2.5], dtype=torch.bfloat16),
    }
    reading = Reading.of(tensors)
    assert list(reading) == list(tensors)
    assert len(reading) == 5
    for name, tensor in tensors.items():
        assert reading[name].dtype == np.float64
        np.testing.assert_array_equal(reading[name], tensor.detach().double().numpy())
        assert reading[name].shape == tuple(tensor.shape)


def test_nothing_measured_is_an_empty_mapping():
    """No probes, no transfer, no numbers; one that is asked for is NaN."""
    reading = Reading.of({})
    assert dict(reading) == {}
    assert math.isnan(reading.number("expansion_rate.plain"))
    with pytest.raises(KeyError):
        reading["expansion_rate.plain"]


def test_plain_numbers_have_seven_digits():
    """For a record: floats and lists of floats, NaN and infinities as they are."""
    reading = Reading.of({"x": torch.tensor(1 / 3).double(), "y": torch.tensor([1e-300 / 7, math.inf]).double()})
    assert reading.plain()["x"] == pytest.approx(1 / 3, rel=1e-7)
    reading = Reading({"x": np.asarray(1 / 3), "y": np.asarray([1e-300 / 7, math.inf]), "z": np.asarray([[math.nan]])})
    plain = reading.plain()
    assert (plain["x"], plain["y"]) == (0.3333333, [1.428571e-301, math.inf])
    assert math.isnan(plain["z"][0][0])


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
