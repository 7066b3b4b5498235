"""Errors of the operating system: disks, permissions and memory, recognised and explained with a remedy."""

import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

# About disks and permissions, or a name that was given: never a mistake of the program's.
_OF_THE_SYSTEM = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO),
    *(errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.EMFILE, errno.ENFILE),
)
_REMEDIES = {
    errno.EDQUOT: "the quota there is used up; make room there, or ask for more",
    errno.EROFS: "the file system can only be read; name a folder that can be written to",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "too many files are open; raise the limit: ulimit -n"),
}
_OF_RUST = re.compile(r"\(os error (\d+)\)")  # safetensors is written in Rust, and reports errors so
_OUT_OF_MEMORY = re.compile(
    r"can't allocate memory|Cannot allocate memory|out of memory|std::bad_alloc|not enough memory|ALLOC_FAILED"
)
_REQUESTED = re.compile(r"(?:allocate|allocating) (\d+(?:\.\d+)?) ?(bytes|[KMGT]iB)", re.IGNORECASE)
_UNITS = {"bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_MB = 1e6


def os_error_of(error: BaseException) -> OSError | None:
    """Return the OSError that an error is, comes from or, in the words of another library, reports; else None.

    `torch.save` answers a full disk with a RuntimeError raised from nothing, and safetensors with an error of its own.
    """
    for link in _chain(error, contexts=True):
        if isinstance(link, OSError):
            return link
        if reported := _OF_RUST.search(str(link)):
            return OSError(int(reported[1]), os.strerror(int(reported[1])))
    return None


def shortage_of(error: BaseException) -> BaseException | None:
    """Return the lack of memory that an error is, or was raised from, whichever library raised it; else None."""
    for link in _chain(error, contexts=False):
        if isinstance(link, MemoryError) or (isinstance(link, OSError) and link.errno == errno.ENOMEM):
            return link
        if isinstance(link, RuntimeError) and _OUT_OF_MEMORY.search(str(link)):
            return link
    return None


def asked_for(error: BaseException) -> int | None:
    """Return how many bytes were asked for, where a lack of memory says so."""
    found = _REQUESTED.search(str(error))
    return round(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def is_of_the_system(error: OSError) -> bool:
    """Tell whether the error is the system's refusal (no room, no permission, a name too long …)."""
    return error.errno in _OF_THE_SYSTEM


def explained(error: OSError, place: Path) -> str:
    """Return what is wrong, and a remedy: "no space is left there (0.2 MB free); make room there".

    place: the file or folder that failed, where the error names none; free room, and what is in the way, are looked
    for there.
    """
    if isinstance(error.filename, str) and error.filename:
        place = Path(error.filename)
    number = error.errno
    if number in _REMEDIES:
        return _REMEDIES[number]
    if number == errno.ENOSPC:
        return f"no space is left there{_nearest(place, _free)}; make room there"
    if number in (errno.EACCES, errno.EPERM):
        owner = _nearest(place, lambda at: f", as {at} is user {at.owner()}'s")
        return f"not permitted{owner}; name a folder of your own, or have its permissions changed"
    if number in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        for at in reversed((place, *place.parents)):
            if os.path.lexists(at) and not os.path.isdir(at):  # noqa: PTH112 (which never raises)
                return f"{at} is a file, where a folder is wanted; move it away, or name another folder"
        return "a folder is there, where a file is wanted; move it away"
    if number == errno.ENOENT:
        gone = next((at for at in reversed((place, *place.parents)) if not os.path.lexists(at)), place)
        return f"{gone} is not there, or no longer; was it moved or removed, or a disk unmounted?"
    if number == errno.ENAMETOOLONG:
        longest = max(len(os.fsencode(part)) for part in place.parts)
        return f"a name of {longest} bytes is too long for this file system; name a folder with shorter names"
    if number in (errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV):
        return f"the device or its connection failed ({error.strerror}); look at the system's log (dmesg)"
    return error.strerror or str(error)


def _chain(error: BaseException, *, contexts: bool) -> list[BaseException]:
    """Return the error, its cause, that one's cause …; with `contexts` also what was being handled."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or (link.__context__ if contexts else None)
    return links


def _nearest(place: Path, describe: Callable[[Path], str]) -> str:
    """Return the description of the place, or of the nearest folder above that has one."""
    for at in (place, *place.parents):
        try:
            return describe(at)
        except (OSError, KeyError, NotImplementedError):
            continue
    return ""


def _free(place: Path) -> str:
    free = shutil.disk_usage(place).free
    return f" ({free / _MB:,.1f} MB free)" if free >= _MB else f" ({free:,} bytes free)"
