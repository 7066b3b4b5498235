"""Files: paths as people write them, digests, and writing that leaves a file whole or absent."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

DRAFT = ".part"
_CHUNK = 1 << 20


def expanded(path: str | Path) -> Path:
    """Return the path with `~` and `~user` replaced; of an unknown user it stays, as in a shell."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def absolute(path: str | Path) -> Path:
    """Return the absolute path of a file. Links above it are followed; if it is one, it keeps its own name and folder.

    Stores of large files, and of versions, keep a link under the name, to a file that is called by its digest.
    """
    file = expanded(path)
    return file.parent.resolve() / file.name


def sha256(content: bytes) -> str:
    """Return the content's digest as `sha256:<64 hex digits>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def sha256_of(file: Path) -> str:
    """Return the digest of a file's content as `sha256:<64 hex digits>`, in little memory. Raises: OSError."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


@contextmanager
def drafted(file: Path) -> Iterator[Path]:
    """Yield a path to write to, which becomes the file when the `with` ends well; what was there stays until then.

    The file is whole or as before also after a power cut. A link in its place is replaced, not followed.
    Raises: OSError where nothing can be written.
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
    """Yield the draft of `drafted` as a stream of bytes, which can be read back."""
    with drafted(file) as draft, draft.open("x+b") as stream:
        yield stream


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
