"""The JSON of a run folder: objects that are written whole, and lines that are only ever added to."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from zoo.recipe.values import error_sentence, short_repr
from zoo.system.files import replacing

Mark = dict[str, Any]  # how far a file had come: {"bytes": n, "sha256": of those}
_BLOCK = 1 << 20
_NUMBER = Annotated[float, Field(strict=True, allow_inf_nan=False)] | None  # what is not finite is written as null
_ROW = TypeAdapter(dict[str, _NUMBER | StrictBool | list[_NUMBER]])


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises: ValueError, also for what Python's parser lets pass: NaN, nesting too deep."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("lists or objects in each other, too deep to be read") from None


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write JSON so that the file is either whole or not there."""
    with replacing(file) as stream:
        stream.write((json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n").encode())


def finite(value: Any) -> Any:
    """The value with NaN and infinities as null, which JSON has a word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def check_row(value: Any, *required: str) -> None:
    """Refuse a line that is no object of numbers, or of lists with one for each block.

    required: names of whole numbers. Raises: ValueError, which names the key.
    """
    try:
        _ROW.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = short_repr(first["loc"][0]) if first["loc"] else "the whole line"
        raise ValueError(f"{place}: {error_sentence(first)}") from None
    if not all(type(value.get(key)) is int and 0 <= value[key] < 2**63 for key in required):
        raise ValueError(f"a line is without {' or '.join(required)}")


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


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
        """Add a line; what is not finite is null."""
        line = (json.dumps(finite(row)) + "\n").encode()
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
        """Return how far the file has come."""
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
