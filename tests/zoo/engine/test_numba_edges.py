"""Products along edges against NumPy, entry by entry."""

import numpy as np
import pytest

from zoo.engine.numba_edges import edge_dot, weighted_sum


def rows(count=40, columns=50, entries=150):
    """Compressed rows, some empty, with repeated entries, of edges in another order."""
    rng = np.random.default_rng(0)
    row, column = np.sort(rng.integers(0, count - 5, entries)), rng.integers(0, columns, entries)
    offsets = np.concatenate([[0], np.bincount(row, minlength=count).cumsum()]).astype(np.int32)
    return offsets, column.astype(np.int32), rng.permutation(entries).astype(np.int32), row


@pytest.mark.parametrize(("heads", "d"), [(1, 7), (3, 4), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weighted_sum(heads, d, dtype):
    """Each row's sum, with the weights of its edges; empty rows give 0."""
    offsets, columns, edges, row = rows()
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
    offsets, columns, edges, row = rows()
    rng = np.random.default_rng(2)
    left, right = rng.standard_normal((40, heads, d)), rng.standard_normal((50, heads, d))
    z = np.full((150, heads), np.nan, dtype)
    edge_dot(offsets, columns, edges, left.astype(dtype), right.astype(dtype), z, 0, 40, 0)
    expected = (left[row] * right[columns]).sum(-1)
    np.testing.assert_allclose(z[edges], expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-5)
