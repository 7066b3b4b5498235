"""Reading old pickles of plain numbers without letting them run anything."""

import codecs
import io
import pickle
from collections import defaultdict
from typing import Any, BinaryIO

import numpy as np

from zoo.datasets.store import Content


class SparseRows:
    """What a pickled scipy matrix in compressed sparse rows holds: `data`, `indices`, `indptr` and its shape."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    _shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self._shape
        return int(rows), int(columns)


# the function that numpy's own pickles call; its module has moved between versions
_RECONSTRUCT = np.zeros(0).__reduce__()[0]

_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("scipy.sparse.csr", "csr_matrix"): SparseRows,
    ("scipy.sparse._csr", "csr_matrix"): SparseRows,
    ("_codecs", "encode"): codecs.encode,  # how protocol 2 writes bytes
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _NumbersOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not allowed in a data file")
        return _ALLOWED[module, name]


def load_numbers(stream: BinaryIO) -> Any:
    """Load the one pickle that begins here, of numpy arrays, sparse matrices, lists and dictionaries.

    Raises: pickle.UnpicklingError if it names anything else; nearly anything if it is damaged.
    """
    return _NumbersOnly(stream, encoding="latin1").load()


def unpickle(content: Content, kind: type) -> Any:
    """Load a pickle that may hold numpy arrays, sparse matrices, lists and dictionaries, written by Python 2 or 3.

    Raises: DataBroken if it names anything else, is damaged, or does not hold an object of this kind.
    """
    try:
        found = load_numbers(io.BytesIO(content.data))
    except Exception as error:  # damaged pickles raise nearly anything
        raise content.broken(f"{type(error).__name__}: {error}") from error
    if not isinstance(found, kind):
        raise content.broken(f"it holds a {type(found).__name__}, not a {kind.__name__}")
    return found
