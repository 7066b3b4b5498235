"""JSON lines that are only ever added to, and can be cut back to where a saved state knows them."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

Mark = dict[str, Any]  # how far a file had come: {"bytes": n, "sha256": of those}
_BLOCK = 1 << 20


class Lines:
    """A file of JSON lines, made when the first one is written.

    mark: where a saved state knows the file to end. It is held against the file at once, and `cut` drops what is after
    it, a line that was torn when the process died among it.

    Each line is handed to the system as it comes, so it outlives the process; `sync` waits until the disk has it.
    Raises: ValueError if the file does not begin as it did at the mark.
    """

    def __init__(self, file: Path, mark: Mark | None = None) -> None:
        self.file = file
        self._stream: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._bytes = 0
        if mark is not None:
            self._check(mark)

    def cut(self) -> None:
        """Drop what is after the mark. An empty file goes: there is none before the first line."""
        if self._bytes:
            os.truncate(self.file, self._bytes)
        else:
            self.file.unlink(missing_ok=True)

    def open(self) -> BinaryIO:
        """Make the file now, if it is not there."""
        if self._stream is None:
            # A link that somebody put in its place is not written through.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            self._stream = os.fdopen(os.open(self.file, flags, 0o666), "ab")
        return self._stream

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line."""
        line = (json.dumps(row) + "\n").encode()
        stream = self.open()
        stream.write(line)
        stream.flush()
        if not os.fstat(stream.fileno()).st_nlink:  # what is written there is lost
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.file))
        self._digest.update(line)
        self._bytes += len(line)

    def sync(self) -> None:
        """Wait until every line is on the disk."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())

    def mark(self) -> Mark:
        """How far the file has come."""
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _check(self, mark: Mark) -> None:
        wanted = int(mark["bytes"])
        if self.file.is_symlink():
            raise ValueError(f"{self.file.name} is a link")
        if self.file.exists():
            with self.file.open("rb") as stream:
                while self._bytes < wanted and (block := stream.read(min(_BLOCK, wanted - self._bytes))):
                    self._digest.update(block)
                    self._bytes += len(block)
        if self._bytes < wanted:
            raise ValueError(f"{self.file.name} has {self._bytes:,} of the {wanted:,} bytes it had then")
        if self.mark() != mark:
            raise ValueError(f"{self.file.name} was changed")
