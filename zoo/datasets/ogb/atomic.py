"""Files that appear when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content becomes the file when the `with` ends well, and is gone when it does not.

    One process at a time may do so. What one leaves that dies on the way is `.<file>.part`, which the next one writes
    anew.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.part")
    try:
        with partial.open("w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    finally:
        with suppress(OSError):  # of a disk that fails; the error that led here is told
            partial.unlink()
