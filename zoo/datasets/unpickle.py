"""Reading old pickles of plain numbers without letting them run anything, or take more memory than the file is long.

No object of NumPy's is made by the pickle itself: what it calls are stand-ins, which check what they are given.
"""

import io
import math
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from zoo.datasets.store import Content
from zoo.untrusted import scan

_KINDS = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_ORDERS = frozenset("<>|=")


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

    def __setstate__(self, state: Any) -> None:
        vars(self).update({name: state[name] for name in ("data", "indices", "indptr", "_shape") if name in state})


class _Refused(pickle.UnpicklingError):
    """What a stand-in says of its arguments."""


class _Kind:
    """Stands for `numpy.dtype`: a kind of number and its order of bytes, as text until both are known to be plain."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if code not in _KINDS:
            raise _Refused(f"it has an array of {str(code)[:20]!r}, not of numbers")
        self._code, self._order = code, "="

    def __setstate__(self, state: Any) -> None:
        _, self._order, *others = state
        if self._order not in _ORDERS or others[:3] != [None, None, None]:
            raise _Refused("it has an array of records, not of numbers")

    def dtype(self) -> np.dtype:
        """The type itself."""
        return np.dtype(self._order + self._code)


class _Array(np.ndarray):
    """Stands for `numpy.ndarray`: takes its numbers only if there are as many as its shape says."""

    def __new__(cls, *given: Any) -> "_Array":
        raise _Refused("it makes an array by a call, which plain data does not need")

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, raw = state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not isinstance(kind, _Kind) or not isinstance(raw, bytes):
            raise _Refused("it has an array of objects, not of numbers")
        dtype = kind.dtype()
        if not all(type(length) is int and length >= 0 for length in shape):
            raise _Refused("it has an array without a shape")
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise _Refused(f"it has an array of shape {shape} with {len(raw)} bytes")
        checked: Any = (1, tuple(shape), dtype, bool(by_columns), raw)
        super().__setstate__(checked)


class _StandIn:
    """What is called in place of a function. None has a state that a pickle could set."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *given: Any) -> Any:
        return self._call(*given)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("it changes what it calls")


@_StandIn
def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """Stands for NumPy's function of that name, which makes an empty array for its numbers to come."""
    if kind is not _Array or shape != (0,):
        raise _Refused(f"it begins an array of shape {str(shape)[:40]}, where none has numbers yet")
    return np.ndarray.__new__(_Array, (0,), np.int8)


@_StandIn
def _list(*nothing: Any) -> list[Any]:
    """Stands for `list`, as the factory of a dictionary."""
    if nothing:
        raise _Refused("it makes a list of something else, which plain data does not need")
    return []


@_StandIn
def _dictionary(factory: Any = None) -> dict[Any, Any]:
    """Stands for `defaultdict`; what it would make up is never asked for."""
    if factory not in (None, _list):
        raise _Refused("it has a dictionary with a factory, which is not allowed in a data file")
    return {}


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("scipy.sparse.csr", "csr_matrix"): SparseRows,
    ("scipy.sparse._csr", "csr_matrix"): SparseRows,
    ("collections", "defaultdict"): _dictionary,
    ("__builtin__", "list"): _list,
    ("builtins", "list"): _list,
}


def _encoder(most: int) -> _StandIn:
    """Stands for `_codecs.encode`, by which protocol 2 writes bytes. most: bytes that it makes in all its calls.

    A short pickle could ask for the same long text again and again.
    """
    left = most

    def encode(text: Any, encoding: Any) -> bytes:
        nonlocal left
        if type(text) is not str or encoding != "latin1":
            raise _Refused("it converts something other than bytes")
        left -= len(text)
        if left < 0:
            raise _Refused("it makes more bytes than the file has")
        return text.encode("latin1")

    return _StandIn(encode)


def stand_ins(size: int) -> dict[str, Any]:
    """What is called in place of NumPy's functions, by their full names, in loading one file of `size` bytes."""
    arrays = {f"{module}.{name}": made for (module, name), made in _ALLOWED.items() if module.startswith("numpy")}
    return {**arrays, "_codecs.encode": _encoder(size)}


class _NumbersOnly(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._encode = _encoder(len(data))

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not allowed in a data file")
        return _ALLOWED[module, name]


def load_numbers(stream: BinaryIO) -> Any:
    """Load the one pickle that begins here, of numpy arrays, sparse matrices, lists and dictionaries.

    Raises: pickle.UnpicklingError if it names anything else; nearly anything if it is damaged.
    """
    return _plain(_NumbersOnly(scan(stream)).load())


def _plain(found: Any) -> Any:
    """Arrays of NumPy's own class, where they are looked for: alone, by name, and in a sparse matrix."""
    if isinstance(found, _Array):
        return found.view(np.ndarray)
    if isinstance(found, SparseRows):
        vars(found).update({name: _plain(value) for name, value in vars(found).items() if isinstance(value, _Array)})
    elif type(found) is dict:
        found.update({name: _plain(value) for name, value in found.items() if isinstance(value, _Array)})
    return found


def unpickle(content: Content, kind: type) -> Any:
    """Load a pickle that may hold numpy arrays, sparse matrices, lists and dictionaries, written by Python 2 or 3.

    Raises: DataBroken if it names anything else, is damaged, claims more than there is, or does not hold an object of
    this kind.
    """
    try:
        found = load_numbers(io.BytesIO(content.data))
    except Exception as error:  # damaged pickles raise nearly anything
        raise content.broken(f"{type(error).__name__}: {error}") from error
    if not isinstance(found, kind):
        raise content.broken(f"it holds a {type(found).__name__}, not a {kind.__name__}")
    return found
