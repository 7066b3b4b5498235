"""Compressed sparse rows from files, checked before they are trusted: scipy itself would write out of bounds."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


def row_of_each_entry(indptr: NDArray) -> NDArray[np.int64]:
    """The row index of every stored entry, from the row pointers [rows + 1].

    Raises: ValueError if the row pointers decrease.
    """
    lengths = np.diff(np.asarray(indptr, dtype=np.int64))
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def dense(data: NDArray, indices: NDArray, indptr: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The matrix as a float32 array; entries stored twice are added.

    Raises: ValueError if the parts do not fit together.
    """
    fits = len(indptr) == shape[0] + 1 and len(data) == len(indices) and indptr[0] == 0 and indptr[-1] == len(data)
    if not fits or np.any(np.diff(indptr) < 0):
        raise ValueError(f"row pointers, indices and values do not make a {shape[0]}×{shape[1]} matrix")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"column index out of range for {shape[1]} columns")
    return csr_matrix((data.astype(np.float32, copy=False), indices, indptr), shape=shape).toarray()
