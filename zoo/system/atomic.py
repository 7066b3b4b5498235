"""Files that are either whole or not there, also after the power went."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

DRAFT = ".part"


@contextmanager
def drafted(file: Path) -> Iterator[Path]:
    """A path to write to, whose content becomes the file when the `with` ends well; what was there stays until then.

    A link in the file's place is replaced, not followed. Raises: OSError where nothing can be written.
    """
    draft = file.with_name(file.name + DRAFT)
    draft.unlink(missing_ok=True)  # of a process that was killed, or a link that somebody put there
    try:
        yield draft
        sync(draft)
        draft.replace(file)
    except BaseException:
        with suppress(OSError):  # a full disk has room for the rest then
            draft.unlink()
        raise
    sync(file.parent)


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """`drafted`, as a stream of bytes, which can be read back."""
    with drafted(file) as draft, draft.open("x+b") as stream:
        yield stream


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
