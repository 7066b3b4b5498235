"""Zip archives whose directory is read before anything is unpacked."""

import re
import stat
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath

FREE = 16 << 20  # bytes that any archive may unpack to, however small it is
RATIO = 1000  # deflate cannot do more than 1032 to 1; arrays with a single value come near


def check_members(members: Iterable[zipfile.ZipInfo], *, most: int) -> None:
    """Refuse an archive with a member that would leave its folder, is no plain file or folder, or comes twice.

    most: members that it may have. Raises: ValueError, naming the member.
    """
    seen: set[str] = set()
    for number, member in enumerate(members, start=1):
        name = member.filename
        if number > most:
            raise ValueError(f"the archive has more than {most} members")
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or re.match("[A-Za-z]:", name):
            raise ValueError(f"the archive's member {name!r} would leave its folder")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"the archive's member {name!r} is a link or a device — expected files and folders")
        if "/".join(parts) in seen:
            raise ValueError(f"the archive's member {name!r} is there twice")
        seen.add("/".join(parts))


def check_size(members: Iterable[zipfile.ZipInfo], size: int, *, ratio: int = RATIO, free: int = FREE) -> None:
    """Refuse an archive of `size` bytes that says that it unpacks to more than `ratio` times its size and `free`.

    What a member says of its size is what `zipfile` reads of it at most. Raises: ValueError with both sizes.
    """
    total = sum(member.file_size for member in members)
    if total > ratio * size + free:
        raise ValueError(f"the archive of {size} bytes would unpack to {total} — expected {ratio} times at most")


def check_stored(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive whose members are not stored as they are, or are larger together than its `size` in bytes.

    That is how PyTorch writes its files: nothing in them can blow up. Raises: ValueError, naming the member.
    """
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its member {member.filename!r} is compressed — expected a file as PyTorch writes it")
    check_size(members, size, ratio=1, free=0)
