"""Downloads: a file comes whole and verified or not at all, and resumes where an earlier attempt broke off."""

import http.client
import io
import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path

from zoo.datasets.digests import accepted
from zoo.system.files import DRAFT, replacing, sha256, sync
from zoo.system.os_errors import explained
from zoo.untrusted import check_size

_CHUNK = 1 << 18
_MB = 1e6
_ANNOUNCED = 1e6  # bytes from which a download is announced


class DownloadError(Exception):
    """Raised where a file could not be fetched; the text says why.

    unreachable: the host itself did not answer. stuck: nothing can be written where files are kept. status: the
    server's answer, if it refused.
    """

    def __init__(
        self, reason: str, *, unreachable: bool = False, stuck: bool = False, status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.unreachable, self.stuck, self.status = unreachable, stuck, status


@dataclass
class _Progress:
    """State of a file that came in part, noted beside it so that no other file is ever appended to it."""

    url: str
    size: int | None = None
    validator: str | None = None  # the server's ETag or date, by which it tells whether the file is still the same


def download(
    url: str,
    target: Path,
    digests: Sequence[str] = (),
    *,
    timeout: float,
    attempts: int = 4,
    archives: dict[str, bytes] | None = None,
) -> None:
    """Fetch `url` into the file `target`, which appears only when it is complete and has one of the digests, if any.

    What came before a connection broke stays in `<target>.part`; the next attempt, of this call or a later one, asks
    for the rest (RFC 9110, § 14), and starts anew if the server has another file by then, or sends no parts. The size
    of a large file is printed on standard error. One process at a time may download a target.

    url: `…#member` is a file in the zip archive at the address before it. timeout: seconds without any byte after which
    an attempt ends. attempts: tries, as long as each brings something. archives: those that came before, by address.
    Raises: DownloadError, saying how much came.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http and https addresses are fetched")
    address, _, member = url.partition("#")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if member:
            content = _member(address, member, timeout, {} if archives is None else archives)
            _check(content, digests)
            with replacing(target) as file:
                file.write(content)
        else:
            _fetch(address, target, digests, timeout, attempts)
    except OSError as error:
        reason = f"it could not be brought into {target.parent}: {explained(error, target.parent)}"
        raise DownloadError(reason, stuck=True) from error


def _member(address: str, member: str, timeout: float, archives: dict[str, bytes]) -> bytes:
    if address not in archives:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "archive.zip")
            _fetch(address, file, (), timeout, attempts=1)
            archives[address] = file.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(archives[address])) as archive:
            check_size([archive.getinfo(member)], len(archives[address]))
            return archive.read(member)
    except (ValueError, zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise DownloadError(f"the archive cannot be read: {error}") from error


def _check(content: bytes, digests: Sequence[str]) -> None:
    if not accepted(content, digests):
        raise DownloadError(f"the file that came has digest {sha256(content)}, expected {' or '.join(digests)}")


def _fetch(url: str, target: Path, digests: Sequence[str], timeout: float, attempts: int) -> None:
    part, notes = target.with_name(target.name + DRAFT), target.with_name(f"{target.name}{DRAFT}.json")
    progress = _read_notes(url, part, notes)
    try:
        for left in reversed(range(attempts)):
            before = _size(part)
            try:
                _attempt(progress, part, notes, timeout)
                break
            except DownloadError as error:
                came, whole = _size(part), f" of {progress.size:,}" if progress.size is not None else ""
                if not left or error.unreachable or came <= before:
                    resumes = f"; {came:,}{whole} bytes came, the next attempt resumes there" if came else ""
                    raise DownloadError(
                        f"{error}{resumes}", unreachable=error.unreachable, status=error.status
                    ) from error
        if digests:
            _check(part.read_bytes(), digests)
        part.replace(target)
        notes.unlink(missing_ok=True)
        sync(target.parent)
    except BaseException as error:
        failed = isinstance(error, OSError)  # what a disk took before it failed may be torn
        if failed or progress.size is None or _size(part) in (0, progress.size):
            part.unlink(missing_ok=True)
            notes.unlink(missing_ok=True)
        raise


def _attempt(progress: _Progress, part: Path, notes: Path, timeout: float) -> None:
    """Fetch the rest of the file, or all of it, into `part`."""
    have = _size(part)
    if progress.size is not None and have == progress.size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and progress.validator:
        headers["If-Range"] = progress.validator
    try:
        with _answer(progress.url, timeout, headers) as answer:
            start, size = _extent(answer)
            partial = answer.status == HTTPStatus.PARTIAL_CONTENT
            if partial and (start != have or (progress.size and size != progress.size)):
                part.unlink()  # of another file than the part that is here
                raise DownloadError("the server has another file than before")
            have = have if partial else 0
            tag = answer.headers.get("ETag") or "W/"
            progress.size = size
            progress.validator = answer.headers.get("Last-Modified") if tag.startswith("W/") else tag
            notes.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            _announce(progress, part, have)
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
    if progress.size is not None and _size(part) != progress.size:  # read1 ends quietly when the server hangs up
        raise DownloadError("the connection ended early")


@contextmanager
def _answer(url: str, timeout: float, headers: dict[str, str]) -> Iterator[HTTPResponse]:
    """Yield the answer to a request; errors in reading it count as errors of the network, too."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (scheme checked)
    silent = f"no answer within {timeout:g} s"
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"the server answered {error.code} {error.reason}", status=error.code) from error
    except TimeoutError as error:
        raise DownloadError(silent, unreachable=True) from error
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        reason = silent if late else f"the server cannot be reached: {error.reason}"
        raise DownloadError(reason, unreachable=True) from error
    except (http.client.HTTPException, ConnectionError) as error:
        raise DownloadError(f"the connection broke: {error!r}") from error


def _extent(answer: HTTPResponse) -> tuple[int, int | None]:
    """Return where the bytes that come begin, and how many the whole file has."""
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        span, _, whole = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
        start = span.partition("-")[0]
        return int(start) if start.isdecimal() else -1, int(whole) if whole.isdecimal() else None
    length = answer.headers.get("Content-Length") or ""
    return 0, int(length) if length.isdecimal() else None


def _announce(progress: _Progress, part: Path, have: int) -> None:
    """Print the size of a large file. Raises: DownloadError if the disk has no room for it."""
    if progress.size is None:
        amount = "of unknown size"
    else:
        amount = f"{progress.size / _MB:,.1f} MB" + (f", {have / _MB:,.1f} of them here" if have else "")
        free = shutil.disk_usage(part.parent).free
        if progress.size - have > free:
            raise DownloadError(f"it has {amount}, and {part.parent} has room for {free / _MB:,.1f} MB")
    if progress.size is None or progress.size >= _ANNOUNCED:
        print(f"downloading {progress.url} ({amount}) into {part.parent}", file=sys.stderr, flush=True)


def _read_notes(url: str, part: Path, notes: Path) -> _Progress:
    """Return the state of the part that lies there; without it the part is of no use, and removed."""
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
