"""Compressed sparse rows from files, checked before they are trusted: scipy itself would write out of bounds."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_MOST = 2**32  # numbers of a dense matrix, 16 GiB: fifteen times the largest that is read here


def row_of_each_entry(indptr: NDArray, entries: int) -> NDArray[np.int64]:
    """The row index of every stored entry, from the row pointers [rows + 1] and the number of entries.

    Raises: ValueError if the row pointers decrease, or do not run from 0 to the number of entries.
    """
    lengths = np.diff(np.asarray(indptr, dtype=np.int64))
    if indptr.ndim != 1 or not len(indptr) or indptr[0] != 0 or indptr[-1] != entries or np.any(lengths < 0):
        raise ValueError(f"row pointers do not run from 0 to {entries}")
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def dense(data: NDArray, indices: NDArray, indptr: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The matrix as a float32 array; entries stored twice are added.

    Raises: ValueError if the parts do not fit together.
    """
    fits = len(indptr) == shape[0] + 1 and len(data) == len(indices) and indptr[0] == 0 and indptr[-1] == len(data)
    if min(shape) < 0 or shape[0] * shape[1] > _MOST:
        raise ValueError(f"a {shape[0]}×{shape[1]} matrix is larger than any that is read here")
    if not fits or np.any(np.diff(indptr) < 0):
        raise ValueError(f"row pointers, indices and values do not make a {shape[0]}×{shape[1]} matrix")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"column index out of range for {shape[1]} columns")
    return csr_matrix((data.astype(np.float32, copy=False), indices, indptr), shape=shape).toarray()
