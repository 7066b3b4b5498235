import numpy as np
import pytest
import scipy.sparse as sp

from zoo.datasets.csr import dense, row_of_each_entry


def test_dense_is_what_scipy_makes():
    """A random sparse matrix with empty rows becomes scipy's dense array."""
    values = np.random.default_rng(0).normal(size=(40, 30))
    matrix = sp.csr_matrix(np.where(values > 1.5, values, 0).astype(np.float32))
    assert (np.diff(matrix.indptr) == 0).any()
    ours = dense(matrix.data, matrix.indices, matrix.indptr, (40, 30))
    np.testing.assert_array_equal(ours, matrix.toarray())
    np.testing.assert_array_equal(row_of_each_entry(matrix.indptr, matrix.nnz), matrix.tocoo().row)


def test_entries_stored_twice_are_added():
    """Duplicates add up, as in scipy."""
    data, indices, indptr = np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2, 2])
    np.testing.assert_array_equal(dense(data, indices, indptr, (2, 3)), [[0, 3, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("data", "indices", "indptr"),
    [
        ([1.0], [5], [0, 1, 1]),
        ([1.0], [-1], [0, 1, 1]),
        ([1.0, 1.0], [0], [0, 1, 1]),
        ([1.0], [0], [0, 1]),
        ([1.0], [0], [0, 1, 2]),
        ([1.0], [0], [1, 1, 1]),
        ([1.0], [0], [0, 2, 1]),
    ],
)
def test_parts_that_do_not_fit_are_refused(data, indices, indptr):
    """Column out of range, lengths that differ, row pointers of another matrix."""
    with pytest.raises(ValueError, match=r"matrix|out of range"):
        dense(np.array(data), np.array(indices), np.array(indptr), (2, 3))


@pytest.mark.parametrize("indptr", [[0, 10**12], [0, -1], [1, 2], [], [[0, 2]]])
def test_row_pointers_that_claim_more_are_refused(indptr):
    """As many rows are listed as there are entries, and no more."""
    with pytest.raises(ValueError, match="do not run from 0 to 2"):
        row_of_each_entry(np.array(indptr), 2)


@pytest.mark.parametrize("shape", [(1, 10**12), (1, -1)])
def test_a_matrix_that_no_memory_holds_is_refused(shape):
    """Its shape is looked at before it is made."""
    with pytest.raises(ValueError, match=r"larger than any|do not make"):
        dense(np.zeros(0), np.zeros(0, int), np.zeros(2, int), shape)
