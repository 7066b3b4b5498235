"""OGB archives, from the address to a folder in the cache: whole and verified, or not at all.

No digests of the archives are published. The first download is trusted: the digests of the archive and of each file in
it are written into `<folder>.json` beside the folder, and each later load verifies the files against them.
"""

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from zoo.datasets.download import DownloadError, download
from zoo.system.files import replacing, sha256_of
from zoo.system.lock import waiting
from zoo.system.os_errors import explained
from zoo.untrusted import check_members, check_size

_MEMBERS = 1000  # an OGB archive has some twenty
_RATIO = 50  # its content is compressed already, but for the pickled splits
_SMALL = 1 << 20
_HALF = "unpacking-"


def obtain(
    url: str,
    place: Path,
    *,
    inner: str,
    digests: Mapping[str, str],
    wanted: Callable[[Path], list[str]],
    timeout: float,
) -> None:
    """Download a zip archive and unpack its folder `inner` as the folder `place`, which appears when it is complete.

    digests: of files in it, where known. wanted: the files that must be in it, given the folder.
    One process at a time does so; others wait and find the folder there. Leftovers of one that died are never taken for
    the folder: a part of the archive, which the next call completes, and half-unpacked folders, which it removes.
    Raises: DownloadError; then the folder is not there, and of the archive at most a part that a later call completes.
    """
    archive, prefix = place.with_name(f"{place.name}.zip"), f".{place.name}.{_HALF}"
    try:
        with waiting([place.with_name(f".{place.name}.lock")], f"data set {place.name}"):
            if place.exists():
                return
            for left in place.parent.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
            if not archive.exists():
                download(url, archive, timeout=timeout)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=prefix, ignore_cleanup_errors=True) as at:
                fresh = Path(at, place.name)
                try:
                    came = unpack(archive, inner, fresh)
                    _check_files(came, inner, digests, wanted(fresh))
                except DownloadError:
                    archive.unlink()  # no good; after any other error it is unpacked another time
                    raise
                record = {"archive": url, "sha256": sha256_of(archive), "bytes": archive.stat().st_size, "files": came}
                with replacing(_record(place)) as file:
                    file.write(json.dumps(record, indent=1).encode())
                fresh.replace(place)
            archive.unlink()
    except OSError as error:
        raise DownloadError(f"it could not be brought into {place.parent}: {explained(error, place.parent)}") from error


def _check_files(came: Mapping[str, str], inner: str, digests: Mapping[str, str], wanted: list[str]) -> None:
    for path in wanted:
        if path not in came:
            raise DownloadError(f"the archive has no {inner}/{path}")
    for path, digest in came.items():
        if digests.get(path, digest) != digest:
            raise DownloadError(f"{path} in it has digest {digest}, expected {digests[path]}")


def record_of(place: Path) -> dict[str, str]:
    """Return the digests that were recorded when the folder was downloaded, by path; empty if it was not."""
    try:
        return dict(json.loads(_record(place).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _record(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def unpack(archive: Path, inner: str, into: Path) -> dict[str, str]:
    """Unpack the folder `inner` of a zip archive as the new folder `into`; return the digest of each file by its path.

    Raises: DownloadError if it is no such archive, damaged, or has a member that a data set has no use for: outside its
    folder, a link, encrypted, too many of them, or far larger than the archive.
    """
    came = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check(members, archive.stat().st_size)
            into.mkdir(parents=True)
            for member in members:
                top, *rest = PurePosixPath(member.filename).parts
                if top == inner and rest and not member.is_dir():
                    came["/".join(rest)] = _extract(opened, member, into.joinpath(*rest))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DownloadError(f"the file that came cannot be read as a zip archive: {error}") from error
    if not came:
        raise DownloadError(f"the archive has no folder {inner}")
    return came


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
    try:
        check_members(members, most=_MEMBERS)
        check_size(members, size, ratio=_RATIO, free=_SMALL)
    except ValueError as error:
        raise DownloadError(str(error)) from error


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("xb") as file:  # x: no member twice
        shutil.copyfileobj(source, file)  # never more than the directory says, and its CRC is checked
    return sha256_of(target)
