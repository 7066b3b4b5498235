"""OGB's `.pt` files: pickled NumPy arrays, which `torch.load` refuses as they are."""

import io
import pickle
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.datasets.store import Content
from zoo.datasets.unpickle import load_numbers

_LOCK = threading.Lock()  # what torch allows is one list for the whole process
_ARRAY = np.zeros(1, dtype=np.int64)
_LEGACY_HEADER = 3  # pickles before the object: a magic number, the version, sizes of C's types


def torch_arrays(content: Content) -> dict[str, NDArray]:
    """The arrays by name in a file of `torch.save`, as OGB writes its splits; tensors become arrays.

    `torch.load` is asked first, with weights_only=True and NumPy's own constructors allowed for this one call. It does
    not know protocol 4, in which some files are written: those go through the zoo's own unpickler of numbers.
    Raises: DataBroken if the file is damaged, names anything but arrays, or is no dictionary of them.
    """
    try:
        found = _load(content.data)
    except Exception as error:  # damaged pickles raise nearly anything
        raise content.broken(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    if not isinstance(found, Mapping):
        raise content.broken(f"it holds a {type(found).__name__}, not arrays by name")
    arrays = {}
    for name, value in found.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise content.broken(f"its entry {name!r} is no array of numbers")
        arrays[str(name)] = array
    return arrays


def _load(data: bytes) -> Any:
    try:
        with _numpy_allowed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, AttributeError):  # AttributeError: torch < 2.5 has no list to add to
        return _load_numbers(data)


@contextmanager
def _numpy_allowed() -> Iterator[None]:
    rebuild = _ARRAY.__reduce__()[0]
    allowed: list[Any] = [(rebuild, f"{package}.multiarray._reconstruct") for package in ("numpy.core", "numpy._core")]
    allowed += [np.ndarray, np.dtype, (_encode(), "_codecs.encode")]
    allowed += [type(np.dtype(kind)) for kind in ("int64", "int32", "float32", "float64", "bool")]
    with _LOCK, torch.serialization.safe_globals(allowed):
        yield


def _encode() -> Any:
    import _codecs

    return _codecs.encode


def _load_numbers(data: bytes) -> Any:
    """The object of either of torch's two formats, a zip archive or pickles one after the other."""
    stream = io.BytesIO(data)
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            return load_numbers(io.BytesIO(archive.read(name)))
    stream.seek(0)
    for _ in range(_LEGACY_HEADER):
        load_numbers(stream)
    return load_numbers(stream)
