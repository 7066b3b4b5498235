"""Attention over rows against NumPy, entry by entry in float64."""

import numpy as np
import pytest

from zoo.engine.numba_attention import attention_forward, dynamic_logits, static_logits


def rows(count=40, columns=50, entries=150):
    """Compressed rows, some empty, with repeated entries."""
    rng = np.random.default_rng(0)
    row, column = np.sort(rng.integers(0, count - 5, entries)), rng.integers(0, columns, entries)
    offsets = np.concatenate([[0], np.bincount(row, minlength=count).cumsum()]).astype(np.int32)
    return offsets, column.astype(np.int32), row


def largest(row, logits, count):
    """The largest of each row and head, −∞ where there are none."""
    peaks = np.full((count, logits.shape[1]), -np.inf)
    np.maximum.at(peaks, row, logits)
    return peaks


@pytest.mark.parametrize("form", ["static", "dynamic"])
def test_logits(form):
    """Scores by their formula, less the largest of the row."""
    offsets, columns, row = rows()
    rng = np.random.default_rng(1)
    slope = np.array([0.2])
    logits = np.empty((150, 3))
    if form == "static":
        scores = rng.standard_normal((50, 2, 3))
        sums = scores[columns, 0] + scores[row, 1]
        expected = np.where(sums > 0, sums, 0.2 * sums)
        static_logits(offsets, columns, scores, slope, logits, 0, 40, 0)
    else:
        values, targets, attention = (rng.standard_normal(shape) for shape in ((50, 3, 4), (40, 3, 4), (3, 4)))
        sums = values[columns] + targets[row]
        expected = (attention * np.where(sums > 0, sums, 0.2 * sums)).sum(-1)
        dynamic_logits(offsets, columns, values, targets, attention, slope, logits, 0, 40, 0)
    np.testing.assert_allclose(logits, expected - largest(row, expected, 40)[row], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dropped", [False, True])
def test_forward(dropped):
    """The weighted mean, through bias, activation and skip; rows without entries give what the bias alone does."""
    offsets, columns, row = rows()
    rng = np.random.default_rng(2)
    values, powers = rng.standard_normal((50, 3, 4)), rng.random((150, 3)) + 0.1
    bias, skip = rng.standard_normal(12), rng.standard_normal((40, 12))
    keep = rng.random((150, 3)) < 0.5
    sums = np.zeros((40, 3))
    np.add.at(sums, row, powers)
    factors = np.where(keep, 2.0, 0.0) if dropped else 1.0
    z = np.zeros((40, 3, 4))
    np.add.at(z, row, (powers / sums[row] * factors)[..., None] * values[columns])
    z = z.reshape(40, 12) + bias
    y, mask = np.empty((40, 12)), np.empty((40, 12), bool)
    attention_forward(
        *(offsets, columns, values, powers, keep if dropped else np.empty((0, 0), bool), np.empty(0, np.int32)),
        *(bias, skip, np.array([0.1, 0.9, 0.5, 2.0]), y, mask, 0, 40, 0),
    )
    np.testing.assert_allclose(y, 0.9 * np.where(z > 0, z, 0.1 * z) + 0.5 * skip, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(mask, z > 0)


def test_a_score_that_is_no_number_is_kept():
    """NaN passes the search for the largest, and stands in its row's logits afterwards."""
    offsets, columns = np.array([0, 3, 4], np.int32), np.array([0, 1, 2, 2], np.int32)
    scores = np.zeros((3, 2, 1))
    scores[1] = np.nan
    logits = np.empty((4, 1))
    static_logits(offsets, columns, scores, np.array([0.2]), logits, 0, 2, 0)
    assert np.isnan(logits[1]).all() and logits[0] == logits[2] == 0 and np.isnan(logits[3]).all()


def test_forward_rounds_as_it_is_written():
    """In float32 the result has the bits of one product and one sum after the other."""
    offsets, columns, row = rows()
    rng = np.random.default_rng(3)
    values, powers = (rng.random(shape).astype(np.float32) for shape in ((50, 1, 5), (150, 1)))
    nothing, sums, z = np.empty(0, np.float32), np.zeros((40, 1), np.float32), np.zeros((40, 1, 5), np.float32)
    np.add.at(sums, row, powers)
    np.add.at(z, row, (powers / sums[row])[..., None] * values[columns])
    y, numbers = np.empty((40, 5), np.float32), np.array([1, 1, 0, 1], np.float32)
    none = np.empty((0, 0), bool), np.empty(0, np.int32), nothing, np.empty((0, 0), np.float32)
    attention_forward(offsets, columns, values, powers, *none, numbers, y, none[0], 0, 40, 0)
    np.testing.assert_array_equal(y, z[:, 0])
