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
from zoo.datasets.unpickle import load_numbers, stand_ins
from zoo.untrusted import check_stored, scan

_LOCK = threading.Lock()  # what torch allows is one list for the whole process
_ZIP = b"PK\x03\x04"  # by which PyTorch itself tells its two formats apart
_LEGACY_HEADER = 3  # pickles before the object: a magic number, the version, sizes of C's types


def torch_arrays(content: Content) -> dict[str, NDArray]:
    """The arrays by name in a file of `torch.save`, as OGB writes its splits; tensors become arrays.

    The file is looked through first: what would blow up is refused before it is loaded. `torch.load` is asked then,
    with weights_only=True and, for this one call, stand-ins for NumPy's constructors. It does not know protocol 4, in
    which some files are written: those go through the zoo's own unpickler of numbers.
    Raises: DataBroken if the file is damaged, names anything but arrays, claims more than there is, or is no dictionary
    of arrays.
    """
    try:
        _check(content.data)
        found = _load(content.data)
    except Exception as error:  # damaged pickles raise nearly anything
        raise content.broken(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    if not isinstance(found, Mapping):
        raise content.broken(f"it holds a {type(found).__name__}, not arrays by name")
    arrays = {}
    for name, value in found.items():
        array = np.asarray(value) if isinstance(value, np.ndarray | torch.Tensor) else None
        if array is None or array.dtype.kind not in "biuf":
            raise content.broken(f"its entry {name!r} is no array of numbers")
        if array.nbytes > len(content.data):  # a tensor that repeats one number by a stride of 0
            raise content.broken(
                f"its entry {name!r} claims {array.nbytes} bytes, and the file has {len(content.data)}"
            )
        arrays[str(name)] = array
    return arrays


def _check(data: bytes) -> None:
    """Refuse what neither of torch's two formats needs. Raises: ValueError, or nearly anything if it is damaged."""
    stream = io.BytesIO(data)
    if data.startswith(_ZIP):
        with zipfile.ZipFile(stream) as archive:
            check_stored(archive, len(data))
            scan(io.BytesIO(archive.read(_data_of(archive))))
        return
    for _ in range(_LEGACY_HEADER + 1):
        scan(stream)


def _load(data: bytes) -> Any:
    try:
        with _numpy_allowed(len(data)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, AttributeError):  # AttributeError: torch < 2.5 has no list to add to
        return _load_numbers(data)


@contextmanager
def _numpy_allowed(size: int) -> Iterator[None]:
    allowed: list[Any] = [(made, name) for name, made in stand_ins(size).items()]
    with _LOCK, torch.serialization.safe_globals(allowed):
        yield


def _data_of(archive: zipfile.ZipFile) -> str:
    (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    return name


def _load_numbers(data: bytes) -> Any:
    """The object of either of torch's two formats, a zip archive or pickles one after the other."""
    stream = io.BytesIO(data)
    if data.startswith(_ZIP):
        with zipfile.ZipFile(stream) as archive:
            return load_numbers(io.BytesIO(archive.read(_data_of(archive))))
    for _ in range(_LEGACY_HEADER):
        load_numbers(stream)
    return load_numbers(stream)
