"""Input that is not trusted (text, names, archives, pickles), held against limits; refused with a ValueError."""

import gzip
import io
import math
import pickletools
import re
import stat
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath
from tokenize import TokenError
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.text import Text

# Controls of C0 and C1, DEL, halves of surrogate pairs, line and paragraph separators, and what reverses the direction
# of writing, so that a text reads otherwise than it is stored.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SEPARATORS = re.compile(r"[/\\\x00]")
_LONGEST_NAME = 200  # bytes; file systems end at 255, and endings are added

_ZIP_RATIO = 1000  # deflate cannot do more than 1032 to 1; arrays with a single value come near
_ZIP_FREE = 16 << 20  # bytes that any archive may unpack to, however small it is
_GZIP_RATIO = 300  # of text with numbers in it; a column of zeros comes to 1000
_GZIP_FREE = 64 << 20
_CHUNK = 1 << 20
_NPZ_MEMBERS = 10_000
_NPY_HEADER = 10_000  # bytes, as NumPy's own limit; above it the header is evaluated only on trust

# Not among what writes numbers, text, lists, tuples, dictionaries, sets and arrays, in protocols 0 to 5: objects of
# persistent stores other than PyTorch's, extension codes, buffers out of band, the call of a class by name.
_PICKLE_REFUSED = frozenset(
    ["INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"]
)
_PICKLE_MEMO = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])


def escape_controls(text: object, keep: str = "") -> str:
    r"""Return the text with every control character escaped (`\x1b`), so that a terminal or a page only shows it.

    keep: those that stay as they are, such as "\n".
    """
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), str(text))


def first_control(text: str, keep: str = "\n\t") -> str | None:
    r"""Return the first control character in a text, escaped; None if there is none. keep: those that are let pass."""
    return next((_escape(found[0]) for found in _CONTROL.finditer(text) if found[0] not in keep), None)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def plain_text(text: object, style: str = "", *, keep: str = "") -> "Text":
    """Return `escape_controls` of the text as an object of rich, for tables and printing: no markup, no emoji names."""
    from rich.text import Text

    return Text(escape_controls(text, keep), style=style)


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder's, or would leave the folder that it is put into.

    name: parts with `/` between them, as `smoke/res-gcn`; each becomes a folder.
    Raises: ValueError, saying what is wrong and what is expected.
    """
    expected = "letters, digits, '-', '_' and '.', with '/' between parts at most"
    if control := first_control(name, keep=""):
        raise ValueError(
            f"the name {escape_controls(name)!r} has the control character {control} in it — expected {expected}"
        )
    for part in name.split("/"):
        if part in ("", ".", "..") or _SEPARATORS.search(part):
            raise ValueError(f"the name {name!r} would leave its folder — expected {expected}")
        if len(part.encode()) > _LONGEST_NAME:
            raise ValueError(f"the name {name[:20]!r}… is too long — expected at most {_LONGEST_NAME} bytes")


def as_file_name(text: object) -> str:
    """Return a text as the name of one file, whatever is in it: separators and control characters become `-`."""
    name = _SEPARATORS.sub("-", escape_controls(text)).lstrip(".")
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore") or "-"


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


def check_size(
    members: Iterable[zipfile.ZipInfo], size: int, *, ratio: int = _ZIP_RATIO, free: int = _ZIP_FREE
) -> None:
    """Refuse an archive of `size` bytes that would unpack to more than `ratio` times its size and `free`.

    `zipfile` reads no more of a member than the size that it states. Raises: ValueError with both sizes.
    """
    total = sum(member.file_size for member in members)
    if total > ratio * size + free:
        raise ValueError(f"the archive of {size} bytes would unpack to {total} — expected {ratio} times at most")


def check_stored(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive whose members are compressed, or are larger together than its `size` in bytes.

    PyTorch writes its files so: nothing in them can blow up. Raises: ValueError, naming the member.
    """
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its member {member.filename!r} is compressed — expected a file as PyTorch writes it")
    check_size(archive.infolist(), size, ratio=1, free=0)


def check_npz(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an `.npz` of `size` bytes if it unpacks to far more, or an array in it claims more than is there.

    Raises: ValueError, naming the array; zipfile.BadZipFile, OSError or zlib.error if it is damaged.
    """
    from numpy.lib import format as npy

    members = archive.infolist()
    check_members(members, most=_NPZ_MEMBERS)
    check_size(members, size)
    for member in members:
        name = member.filename
        with archive.open(member) as stream:
            version = npy.read_magic(stream)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"array {name!r} is of the unknown format {version}")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            try:
                shape, _, kind = read(stream, max_header_size=_NPY_HEADER)
            except (SyntaxError, TokenError, TypeError, MemoryError, RecursionError) as error:
                raise ValueError(f"array {name!r} has no header that can be read: {error}") from error
            there = member.file_size - stream.tell()
        if any(length < 0 for length in shape):
            raise ValueError(f"array {name!r} has the shape {shape}")
        if not kind.hasobject and math.prod(shape) * kind.itemsize != there:
            raise ValueError(f"array {name!r} claims the shape {shape} of {kind}, but has {there} bytes")


def unpacked(data: bytes, *, ratio: int = _GZIP_RATIO, free: int = _GZIP_FREE) -> io.BytesIO:
    """Return the content of a gzip file.

    Raises: ValueError above `ratio` times its size and `free`; OSError, EOFError or zlib.error if it is damaged.
    """
    most, made = ratio * len(data) + free, io.BytesIO()
    with gzip.open(io.BytesIO(data)) as stream:
        while chunk := stream.read(_CHUNK):
            made.write(chunk)
            if made.tell() > most:
                raise ValueError(f"its {len(data)} bytes unpack to more than {most} — expected {ratio} times at most")
    made.seek(0)
    return made


def scan(stream: BinaryIO) -> bytes:
    """Return the one pickle that begins here, as bytes, and leave the stream behind it. Nothing of it is run.

    Refused is what plain data has no use for, and a place in the memo far beyond its objects, for which the unpickler
    would fill gigabytes with nothing.
    Raises: ValueError if it is refused, or damaged.
    """
    begin, put = stream.tell(), 0
    for operation, argument, place in pickletools.genops(stream):
        if operation.name in _PICKLE_REFUSED:
            raise ValueError(f"it uses {operation.name} at byte {place}, which plain data does not need")
        if operation.name in _PICKLE_MEMO:
            put += 1
            if not isinstance(argument, int) or not 0 <= argument <= 2 * put + 16:
                raise ValueError(f"its memo has a place {argument} after {put} objects")
    end = stream.tell()
    stream.seek(begin)
    return stream.read(end - begin)
