"""The arrays of a parsed folder, kept in the cache, so that text is read once."""

import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.ogb.folder import Folder, cache_key
from zoo.datasets.store import Store
from zoo.system.files import replacing
from zoo.system.lock import waiting

Arrays = Mapping[str, NDArray]

VERSION = 1  # of what `parse` makes
_KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")


def parsed(store: Store, folder: Folder, parse: Callable[[Folder], Arrays]) -> Arrays:
    """What `parse` makes of the folder: int64 and float32 arrays by name, from the cache where they are there.

    The cache is `parsed/<name>-<key>.npz` in the store's cache folder, without pickles; the key is a digest of those of
    all source files, which were just verified, so that no array outlives the file that it came from. A cache that is
    damaged is made anew; one that cannot be written is done without. One process at a time parses; others wait for it.
    """
    file = store.cache / "parsed" / f"{folder.place.name}-{cache_key(folder, VERSION)}.npz"
    arrays = _read(file)
    if arrays is not None:
        return arrays
    with ExitStack() as turn:
        with suppress(OSError):  # nowhere to write: each parses for itself
            turn.enter_context(waiting([file.with_name(f".{file.name}.lock")], f"data set {folder.name}, parsed"))
        arrays = _read(file)
        if arrays is None:
            arrays = parse(folder)
            _write(file, arrays)
    return arrays


def _read(file: Path) -> dict[str, NDArray] | None:
    try:
        with (
            file.open("rb") as stream,
            np.load(stream, allow_pickle=False) as found,
        ):  # checks the CRC of each array that is read whole
            return {name: _widened(found[name]) for name in found.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None


def _write(file: Path, arrays: Arrays) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            np.savez(stream, **{name: _narrowed(array) for name, array in arrays.items()})  # pyright: ignore
            stream.flush()
            stream.seek(0)
            with zipfile.ZipFile(stream) as written:
                damaged = written.testzip()
            if damaged is not None:
                raise OSError(f"{damaged} came back otherwise than it was written")
    except OSError:
        return  # no room, or not ours to write to: the next load parses again


def _narrowed(array: NDArray) -> NDArray:
    """Integers in the fewest bytes that hold them."""
    if array.dtype.kind != "i" or not array.size:
        return array
    low, high = int(array.min()), int(array.max())
    fitting = (kind for kind in _KINDS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return array.astype(next(fitting))


def _widened(array: NDArray) -> NDArray:
    return array.astype(np.int64) if array.dtype.kind in "iu" else array
