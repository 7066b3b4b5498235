"""Sums over rows against dense float64 products, and products along edges entry by entry."""

import numpy as np
import pytest
import torch

from zoo.engine.numba_compile import over_rows, parts
from zoo.engine.numba_sums import block_backward, block_forward, edge_dot, scaled_sum, weighted_sum


def rows(count=300, columns=200, entries=1500, seed=0):
    """Compressed rows, some empty, with repeated entries; and the same as a dense matrix."""
    rng = np.random.default_rng(seed)
    row, column = np.sort(rng.integers(0, count - 5, entries)), rng.integers(0, columns, entries)
    dense = np.zeros((count, columns))
    np.add.at(dense, (row, column), 1)
    offsets = np.concatenate([[0], np.bincount(row, minlength=count).cumsum()]).astype(np.int32)
    return offsets, column.astype(np.int32), dense


@pytest.fixture(params=[1, 2])
def threads(request, monkeypatch):
    monkeypatch.setattr("zoo.engine.numba_compile._SHARED", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("width", [1, 7, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_sum(threads, width, dtype):
    """What is scaled, summed and scaled again, by NumPy's product of the dense matrix; empty rows give 0."""
    offsets, columns, dense = rows()
    rng = np.random.default_rng(1)
    before, after, x = (rng.standard_normal(shape) for shape in (200, 300, (200, width)))
    y = np.empty((300, width), dtype)
    over_rows(scaled_sum, offsets, width, offsets, columns, *(part.astype(dtype) for part in (before, after, x)), y)
    expected = after[:, None] * (dense @ (before[:, None] * x))
    np.testing.assert_allclose(y, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)
    assert (y[-5:] == 0).all()


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("parts_there", [(True, True, True), (False, False, False), (False, True, True)])
def test_block_there_and_back(threads, slope, parts_there):
    """The block and what it says of ∂/∂z and ∂/∂bias, by the formulas written out in NumPy."""
    offsets, columns, dense = rows()
    rng = np.random.default_rng(2)
    width, share, skip_share = 16, 0.9, 0.3
    before, after, h = rng.standard_normal(200), rng.standard_normal(300), rng.standard_normal((200, width))
    some = (rng.standard_normal((300, width)), rng.standard_normal(width), rng.standard_normal((300, width)))
    root, bias, skip = (
        value if there else np.empty((0,) * value.ndim) for value, there in zip(some, parts_there, strict=True)
    )
    y, mask = np.empty((300, width)), np.empty((300, width), bool)
    numbers = np.array([slope, share, skip_share])
    arguments = offsets, columns, before, after, h, root, bias, skip, numbers
    over_rows(block_forward, offsets, width, *arguments, y, mask)
    z = after[:, None] * (dense @ (before[:, None] * h))
    z = z + (root if len(root) else 0) + (bias if len(bias) else 0)
    np.testing.assert_allclose(y, share * np.where(z > 0, z, slope * z) + (skip_share * skip if len(skip) else 0))
    assert (mask == (z > 0)).all()

    dy, dz, dbias = rng.standard_normal((300, width)), np.empty((300, width)), np.empty((parts(300, width), width))
    over_rows(block_backward, offsets, width, dy, mask, numbers[:2], dz, dbias)
    expected = share * dy * np.where(z > 0, 1, slope)
    np.testing.assert_allclose(dz, expected)
    np.testing.assert_allclose(dbias.sum(0), expected.sum(0))


def test_nothing_hides_a_nan():
    """A NaN among the features comes out of the sum and of the ReLU; it is not taken for a negative number."""
    offsets, columns, _ = rows()
    h = np.full((200, 4), np.nan)
    y, mask = np.empty((300, 4)), np.empty((300, 4), bool)
    none, ones = np.empty((0, 0)), np.ones(300)
    block_forward(offsets, columns, ones, ones, h, none, np.empty(0), none, np.array([0.0, 1, 0]), y, mask, 0, 300, 0)
    filled = np.diff(offsets) > 0
    assert np.isnan(y[filled]).all() and not mask.any()


def numbered_rows(count=40, columns=50, entries=150):
    """Compressed rows, some empty, with repeated entries, of edges in another order."""
    rng = np.random.default_rng(0)
    row, column = np.sort(rng.integers(0, count - 5, entries)), rng.integers(0, columns, entries)
    offsets = np.concatenate([[0], np.bincount(row, minlength=count).cumsum()]).astype(np.int32)
    return offsets, column.astype(np.int32), rng.permutation(entries).astype(np.int32), row


@pytest.mark.parametrize(("heads", "d"), [(1, 7), (3, 4), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weighted_sum(heads, d, dtype):
    """Each row's sum, with the weights of its edges; empty rows give 0."""
    offsets, columns, edges, row = numbered_rows()
    rng = np.random.default_rng(1)
    weights, x = rng.standard_normal((150, heads)), rng.standard_normal((50, heads, d))
    y = np.full((40, heads, d), np.nan, dtype)
    weighted_sum(offsets, columns, edges, weights.astype(dtype), x.astype(dtype), y, 0, 40, 0)
    expected = np.zeros((40, heads, d))
    np.add.at(expected, row, weights[edges][..., None] * x[columns])
    np.testing.assert_allclose(y, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)


@pytest.mark.parametrize(("heads", "d"), [(1, 7), (3, 4), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edge_dot(heads, d, dtype):
    """Each edge's dot products stand at the edge's own place."""
    offsets, columns, edges, row = numbered_rows()
    rng = np.random.default_rng(2)
    left, right = rng.standard_normal((40, heads, d)), rng.standard_normal((50, heads, d))
    z = np.full((150, heads), np.nan, dtype)
    edge_dot(offsets, columns, edges, left.astype(dtype), right.astype(dtype), z, 0, 40, 0)
    expected = (left[row] * right[columns]).sum(-1)
    np.testing.assert_allclose(z[edges], expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)
