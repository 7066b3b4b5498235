"""Fetching one file: whole and verified, or not at all."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from zoo.datasets.digest import accepted
from zoo.datasets.network import DownloadError, answer_to, check_address
from zoo.system.files import replacing, sha256
from zoo.system.os_errors import explained
from zoo.untrusted import check_size

_CHUNK = 1 << 16


def download(
    url: str, target: Path, digests: Sequence[str], *, timeout: float, archives: dict[str, bytes] | None = None
) -> None:
    """Fetch `url` into the file `target`, which appears only when its content is complete and has a known digest.

    url: with `#member` at its end, the file of that name in the zip archive at the address before it.
    timeout: seconds without any byte after which the attempt ends. archives: those that were fetched, by address; what
    is there is not fetched again.
    One process at a time may do so for a folder. What a process leaves that dies on the way is `<target>.part`, which
    no one reads, and which the next one writes anew.
    Raises: DownloadError; no file is left behind then.
    """
    check_address(url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            address, _, member = url.partition("#")
            if member:
                file.write(_member(address, member, timeout, {} if archives is None else archives))
            else:
                _copy(address, file, timeout)
            file.seek(0)
            content = file.read()
            if not accepted(content, digests):
                raise DownloadError(f"what came has digest {sha256(content)}, expected {' or '.join(digests)}")
    except OSError as error:
        raise DownloadError(
            f"it could not be brought into {target.parent}: {explained(error, target.parent)}", stuck=True
        ) from error


def _member(address: str, member: str, timeout: float, archives: dict[str, bytes]) -> bytes:
    if address not in archives:
        whole = io.BytesIO()
        _copy(address, whole, timeout)
        archives[address] = whole.getvalue()
    try:
        with zipfile.ZipFile(io.BytesIO(archives[address])) as archive:
            check_size([archive.getinfo(member)], len(archives[address]))
            return archive.read(member)
    except (ValueError, zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise DownloadError(f"the archive cannot be read: {error}") from error


def _copy(url: str, file: BinaryIO, timeout: float) -> None:
    with answer_to(url, timeout) as answer:
        expected = answer.headers.get("Content-Length")
        received = 0
        while chunk := answer.read1(_CHUNK):
            file.write(chunk)
            received += len(chunk)
    # read1 ends quietly when the other side hangs up early
    if expected is not None and expected.isdecimal() and received != int(expected):
        raise DownloadError(f"truncated: {received} of {expected} bytes came")
