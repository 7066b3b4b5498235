"""Old pickles of plain numbers, and files of `torch.save`, read without running anything, in bounded memory.

No object of NumPy's is made by a pickle itself: what it calls are stand-ins, which check their arguments.
"""

import io
import math
import pickle
import threading
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.datasets.store import Content
from zoo.untrusted import check_stored, scan

T = TypeVar("T")

_KINDS = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
_ORDERS = frozenset("<>|=")
_LOCK = threading.Lock()  # torch has one list of allowed names for the whole process
_ZIP = b"PK\x03\x04"  # by which PyTorch itself tells its two formats apart
_LEGACY_HEADER = 3  # pickles before the object: a magic number, the version, sizes of C's types


class SparseRows:
    """Content of a pickled scipy matrix in compressed sparse rows: `data`, `indices`, `indptr` and its shape."""

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
    """Raised by a stand-in for arguments that plain data does not need."""


class _Kind:
    """Stand-in for `numpy.dtype`: a type of number and its byte order, as text until both are known to be plain."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if code not in _KINDS:
            raise _Refused(f"it has an array of {str(code)[:20]!r}, not of numbers")
        self._code, self._order = code, "="

    def __setstate__(self, state: Any) -> None:
        _, self._order, *others = state
        if self._order not in _ORDERS or others[:3] != [None, None, None]:
            raise _Refused("it has an array of records, not of numbers")

    def dtype(self) -> np.dtype:
        """Return the type itself."""
        return np.dtype(self._order + self._code)


class _Array(np.ndarray):
    """Stand-in for `numpy.ndarray`: takes its numbers only if there are as many as its shape says."""

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
    """Callable in place of a function. None has a state that a pickle could set."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *given: Any) -> Any:
        return self._call(*given)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("it changes what it calls")


@_StandIn
def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    """Stand in for NumPy's function of that name, which makes an empty array for its numbers to come."""
    if kind is not _Array or shape != (0,):
        raise _Refused(f"it begins an array of shape {str(shape)[:40]}, where none has numbers yet")
    return np.ndarray.__new__(_Array, (0,), np.int8)


@_StandIn
def _list(*nothing: Any) -> list[Any]:
    """Stand in for `list`, as the factory of a dictionary."""
    if nothing:
        raise _Refused("it makes a list of something else, which plain data does not need")
    return []


@_StandIn
def _dictionary(factory: Any = None) -> dict[Any, Any]:
    """Stand in for `defaultdict`; its default is never asked for."""
    if factory not in (None, _list):
        raise _Refused("it has a dictionary with a factory, which is not allowed in a data file")
    return {}


def _encoder(most: int) -> _StandIn:
    """Return a stand-in for `_codecs.encode`, by which protocol 2 writes bytes. most: bytes that its calls may make.

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


_OF_NUMPY: dict[str, Any] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Kind,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
}
_OF_OTHERS: dict[str, Any] = {
    "scipy.sparse.csr.csr_matrix": SparseRows,
    "scipy.sparse._csr.csr_matrix": SparseRows,
    "collections.defaultdict": _dictionary,
    "__builtin__.list": _list,
    "builtins.list": _list,
}


class _NumbersOnly(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._allowed = {**_OF_NUMPY, **_OF_OTHERS, "_codecs.encode": _encoder(len(data))}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in self._allowed:
            raise pickle.UnpicklingError(f"it names {full}, which is not allowed in a data file")
        return self._allowed[full]


def load_numbers(stream: BinaryIO) -> Any:
    """Load the one pickle that begins here, of numpy arrays, sparse matrices, lists and dictionaries.

    Raises: pickle.UnpicklingError if it names anything else; nearly anything if it is damaged.
    """
    return _plain(_NumbersOnly(scan(stream)).load())


def _plain(found: Any) -> Any:
    """Replace stand-ins by NumPy's own arrays, where readers look: alone, by name, and in a sparse matrix."""
    if isinstance(found, _Array):
        return found.view(np.ndarray)
    entries = vars(found) if isinstance(found, SparseRows) else found if type(found) is dict else {}
    entries.update({name: _plain(value) for name, value in entries.items() if isinstance(value, _Array)})
    return found


def unpickle(content: Content, kind: type[T]) -> T:
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


def torch_arrays(content: Content) -> dict[str, NDArray]:
    """Load the arrays by name in a file of `torch.save`, as OGB writes its splits; tensors become arrays.

    The file is scanned first: what would blow up is refused before it is loaded. `torch.load` is asked then, with
    weights_only=True and, for this one call, stand-ins for NumPy's constructors. It does not know protocol 4, in which
    some files are written: those go through `load_numbers`.
    Raises: DataBroken if the file is damaged, names anything but arrays, claims more than there is, or is no dictionary
    of arrays.
    """
    data = content.data
    try:
        pickles = _pickles(data)
        try:
            allowed: list[Any] = [(made, name) for name, made in _OF_NUMPY.items()]
            allowed.append((_encoder(len(data)), "_codecs.encode"))
            with _LOCK, torch.serialization.safe_globals(allowed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, AttributeError):  # AttributeError: torch < 2.5 has no list to add to
            found = [load_numbers(io.BytesIO(each)) for each in pickles][-1]
    except Exception as error:  # damaged pickles raise nearly anything
        raise content.broken(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    if not isinstance(found, Mapping):
        raise content.broken(f"it holds a {type(found).__name__}, not arrays by name")
    arrays = {}
    for name, value in found.items():
        array = np.asarray(value) if isinstance(value, np.ndarray | torch.Tensor) else None
        if array is None or array.dtype.kind not in "biuf":
            raise content.broken(f"its entry {name!r} is no array of numbers")
        if array.nbytes > len(data):  # a tensor that repeats one number by a stride of 0
            raise content.broken(f"its entry {name!r} claims {array.nbytes} bytes, and the file has {len(data)}")
        arrays[str(name)] = array
    return arrays


def _pickles(data: bytes) -> list[bytes]:
    """Return the pickles of either of torch's formats, scanned; the last one is the object.

    Raises: ValueError if they have what neither format needs, or nearly anything if the file is damaged.
    """
    stream = io.BytesIO(data)
    if data.startswith(_ZIP):
        with zipfile.ZipFile(stream) as archive:
            check_stored(archive, len(data))
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            return [scan(io.BytesIO(archive.read(name)))]
    return [scan(stream) for _ in range(_LEGACY_HEADER + 1)]
