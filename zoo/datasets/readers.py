"""Readers of arrays: `.npz` files, never with pickle, and compressed sparse rows, checked before they are used."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from zoo.datasets.store import Content
from zoo.untrusted import check_npz

_DAMAGED = (ValueError, OSError, EOFError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)
_MOST = 2**32  # numbers of a dense matrix, 16 GiB: fifteen times the largest that is read here


class Archive(Mapping[str, NDArray]):
    """Arrays of an `.npz` file by name. Pickled entries are refused, unless they are never asked for.

    Raises: DataBroken if the file is no such archive, unpacks to far more than it has, or an array in it is missing,
    damaged, pickled, or claims more than is there.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        with content.broken_on(*_DAMAGED):
            with zipfile.ZipFile(io.BytesIO(content.data)) as archive:
                check_npz(archive, len(content.data))
            self._arrays = np.load(io.BytesIO(content.data), allow_pickle=False)
            self._names = list(self._arrays.files)

    def __getitem__(self, name: str) -> NDArray:
        if name not in self._names:
            raise self._content.broken(f"no array {name!r} in it, only {', '.join(self._names)}")
        try:
            return self._arrays[name]
        except _DAMAGED as error:
            raise self._content.broken(f"array {name!r}: {error}") from error

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def row_of_each_entry(indptr: NDArray, entries: int) -> NDArray[np.int64]:
    """Return the row index of every stored entry, from the row pointers [rows + 1] and the number of entries.

    Raises: ValueError if the row pointers decrease, or do not run from 0 to the number of entries.
    """
    lengths = np.diff(np.asarray(indptr, dtype=np.int64))
    if indptr.ndim != 1 or not len(indptr) or indptr[0] != 0 or indptr[-1] != entries or np.any(lengths < 0):
        raise ValueError(f"row pointers do not run from 0 to {entries}")
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def dense(data: NDArray, indices: NDArray, indptr: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the matrix as a float32 array; entries stored twice are added.

    Raises: ValueError if the parts do not fit together, for which scipy itself would write out of bounds.
    """
    fits = len(indptr) == shape[0] + 1 and len(data) == len(indices) and indptr[0] == 0 and indptr[-1] == len(data)
    if min(shape) < 0 or shape[0] * shape[1] > _MOST:
        raise ValueError(f"a {shape[0]}×{shape[1]} matrix is larger than any that is read here")
    if not fits or np.any(np.diff(indptr) < 0):
        raise ValueError(f"row pointers, indices and values do not make a {shape[0]}×{shape[1]} matrix")
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise ValueError(f"column index out of range for {shape[1]} columns")
    return csr_matrix((data.astype(np.float32, copy=False), indices, indptr), shape=shape).toarray()
