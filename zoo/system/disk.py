"""What the system says when a file cannot be had or written, in words, and what to do about it."""

import errno
import os
import re
import shutil
from pathlib import Path

# What the system says of its disks and permissions, or of a name that was given: never a mistake of the program's.
_OF_THE_SYSTEM = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO),
    *(errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.EMFILE, errno.ENFILE),
)
_OF_RUST = re.compile(r"\(os error (\d+)\)")  # safetensors is written in Rust, and tells errors so
_MB = 1e6


def os_error_of(error: BaseException) -> OSError | None:
    """The OSError that an error is, comes from or, in the words of a library that is not Python, tells of; else None.

    `torch.save` answers a full disk with a RuntimeError raised from nothing, and safetensors with an error of its own.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, OSError):
            return link
        if told := _OF_RUST.search(str(link)):
            return OSError(int(told[1]), os.strerror(int(told[1])))
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return None


def is_of_the_system(error: OSError) -> bool:
    """Whether the error is the system's refusal (no room, no permission, a name too long …), whoever asked for it."""
    return error.errno in _OF_THE_SYSTEM


def said_of(error: OSError, place: Path) -> str:
    """What is wrong, and what to do: "no space is left there (0.2 MB free); make room there".

    place: the file or folder that could not be had, where the error names none; room is measured, and what is in the
    way is looked for, there.
    """
    if isinstance(error.filename, str) and error.filename:
        place = Path(error.filename)
    wrong, remedy = _words(error, place)
    return f"{wrong}; {remedy}" if remedy else wrong


def _words(error: OSError, place: Path) -> tuple[str, str]:
    number = error.errno
    if number == errno.ENOSPC:
        return f"no space is left there{_free(place)}", "make room there"
    if number == errno.EDQUOT:
        return "the quota there is used up", "make room there, or ask for more"
    if number == errno.EROFS:
        return "the file system can only be read", "name a folder that can be written to"
    if number in (errno.EACCES, errno.EPERM):
        return f"not permitted{_of(place)}", "name a folder of your own, or have its permissions changed"
    if number in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        taken = _file_in_the_way(place)
        if taken is not None:
            return f"{taken} is a file, where a folder is wanted", "move it away, or name another folder"
        return "a folder is there, where a file is wanted", "move it away"
    if number == errno.ENOENT:
        gone = next((each for each in reversed((place, *place.parents)) if not os.path.lexists(each)), place)
        return f"{gone} is not there, or no longer", "was it moved or removed, or a disk unmounted?"
    if number == errno.ENAMETOOLONG:
        longest = max(len(os.fsencode(part)) for part in place.parts)
        return f"a name of {longest} bytes is too long for this file system", "name a folder with shorter names"
    if number in (errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV):
        return f"the device or its connection failed ({error.strerror})", "look at the system's log (dmesg)"
    if number in (errno.EMFILE, errno.ENFILE):
        return "too many files are open", "raise the limit: ulimit -n"
    return error.strerror or str(error), ""


def _free(place: Path) -> str:
    for each in (place, *place.parents):
        try:
            free = shutil.disk_usage(each).free
            return f" ({free / _MB:,.1f} MB free)" if free >= _MB else f" ({free:,} bytes free)"
        except OSError:
            continue
    return ""


def _of(place: Path) -> str:
    """Whose place it is, where that can be seen."""
    for each in (place, *place.parents):
        try:
            return f", as {each} is user {each.owner()}'s"
        except (OSError, KeyError, NotImplementedError):
            continue
    return ""


def _file_in_the_way(place: Path) -> Path | None:
    for each in reversed((place, *place.parents)):
        if os.path.lexists(each) and not os.path.isdir(each):  # noqa: PTH112 (which never raises)
            return each
    return None
