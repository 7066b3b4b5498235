"""Fetching one large file, going on where an earlier attempt was broken off."""

import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from zoo.datasets.network import DownloadError, answer_to, check_address
from zoo.system.os_errors import explained

_CHUNK = 1 << 18
_MB = 1e6


@dataclass
class _Progress:
    """What is known of a file that came in part: so much that no other file is ever appended to it."""

    url: str
    size: int | None = None
    validator: str | None = None  # the server's ETag or date, by which it says whether the file is still the same


def fetch(url: str, target: Path, *, timeout: float, attempts: int = 4) -> None:
    """Fetch `url` into the file `target`, which appears only when it is complete.

    What came before a connection broke stays in `<target>.part`; the next attempt, of this call or a later one, asks
    for the rest (RFC 9110, § 14) and starts anew if the server has another file by then, or sends no parts. The size
    is stated on standard error before the first byte; nothing is asked.
    timeout: seconds without any byte after which an attempt ends. attempts: as many in a row that bring something.
    Raises: DownloadError, saying how much came.
    """
    check_address(url)
    progress = _Progress(url)
    part, notes = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        progress = _read_notes(url, part, notes)
        for left in reversed(range(attempts)):
            before = _size(part)
            try:
                _go_on(progress, part, notes, timeout)
                break
            except DownloadError as error:
                if not left or error.unreachable or _size(part) <= before:
                    raise DownloadError(f"{error}{_so_far(progress, part)}", unreachable=error.unreachable) from error
        part.replace(target)
        notes.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(
            f"it could not be brought into {target.parent}: {explained(error, target.parent)}{_so_far(progress, part)}"
        ) from error


def _go_on(progress: _Progress, part: Path, notes: Path, timeout: float) -> None:
    """One attempt: the rest of the file, or all of it."""
    have = _size(part)
    if progress.size is not None and have == progress.size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and progress.validator:
        headers["If-Range"] = progress.validator
    try:
        with answer_to(progress.url, timeout, headers) as answer:
            start, size = _extent(answer)
            if answer.status == 206 and (start != have or (progress.size and size != progress.size)):
                part.unlink()  # of another file than the part that is here
                raise DownloadError("the server has another file than before")
            if answer.status != 206:
                have = 0
            progress.size, progress.validator = size, _validator(answer)
            notes.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            _state(progress, part, have)
            with part.open("ab" if have else "wb") as file:
                while chunk := answer.read1(_CHUNK):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
    except DownloadError as error:
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # it was of another file
            part.unlink(missing_ok=True)
        error.unreachable &= _size(part) == 0  # silence after some of it is worth another attempt
        raise
    if progress.size is not None and _size(part) != progress.size:  # read1 ends quietly when the other side hangs up
        raise DownloadError("the connection ended early")


def _extent(answer: Any) -> tuple[int, int | None]:
    """Where the bytes that come begin, and how many the whole file has."""
    if answer.status == 206:
        span, _, whole = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
        start = span.partition("-")[0]
        return int(start) if start.isdecimal() else -1, int(whole) if whole.isdecimal() else None
    length = answer.headers.get("Content-Length") or ""
    return 0, int(length) if length.isdecimal() else None


def _validator(answer: Any) -> str | None:
    tag = answer.headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _state(progress: _Progress, part: Path, have: int) -> None:
    if progress.size is None:
        amount = "of unknown size"
    else:
        amount = f"{progress.size / _MB:,.1f} MB" + (f", {have / _MB:,.1f} of them here" if have else "")
        free = shutil.disk_usage(part.parent).free
        if progress.size - have > free:
            raise DownloadError(f"it has {amount}, and {part.parent} has room for {free / _MB:,.1f} MB")
    print(f"downloading {progress.url} ({amount}) into {part.parent}", file=sys.stderr, flush=True)


def _so_far(progress: _Progress, part: Path) -> str:
    came = _size(part)
    whole = "" if progress.size is None else f" of {progress.size / _MB:,.1f}"
    return f"; {came / _MB:,.1f}{whole} MB came, the next attempt goes on from there" if came else ""


def _read_notes(url: str, part: Path, notes: Path) -> _Progress:
    """What is known of the part that lies there; without that knowledge the part is of no use."""
    try:
        found = _Progress(**json.loads(notes.read_text(encoding="utf-8")))
        if found.url == url and found.size is not None and _size(part) <= found.size:
            return found
    except (OSError, ValueError, TypeError):
        pass
    part.unlink(missing_ok=True)
    return _Progress(url)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
