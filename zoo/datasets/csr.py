"""Compressed sparse rows, read without scipy's classes."""

import numpy as np
from numpy.typing import NDArray


def row_of_each_entry(indptr: NDArray) -> NDArray[np.int64]:
    """The row index of every stored entry, from the row pointers [rows + 1]."""
    lengths = np.diff(np.asarray(indptr, dtype=np.int64))
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def dense(data: NDArray, indices: NDArray, indptr: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The matrix as a float32 array; entries stored twice are added.

    Raises: ValueError if the parts do not fit together.
    """
    if len(indptr) != shape[0] + 1 or len(data) != len(indices) or indptr[0] != 0 or indptr[-1] != len(data):
        raise ValueError(f"row pointers, indices and values do not make a {shape[0]}×{shape[1]} matrix")
    rows = row_of_each_entry(indptr)
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"column index out of range for {shape[1]} columns")
    matrix = np.zeros(shape, dtype=np.float32)
    np.add.at(matrix, (rows, np.asarray(indices, dtype=np.int64)), data.astype(np.float32, copy=False))
    return matrix
