"""NumPy's archives of arrays: what they say of themselves has to be true before memory is asked for."""

import math
import zipfile
from tokenize import TokenError

from numpy.lib import format as npy

from zoo.untrusted.zips import check_members, check_size

_MEMBERS = 10_000
_LONGEST_HEADER = 10_000  # bytes, as NumPy's own limit; above it the header is evaluated only on trust


def check_npz(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an `.npz` of `size` bytes if it unpacks to far more, or an array in it claims more than is there.

    Raises: ValueError, naming the array; zipfile.BadZipFile, OSError or zlib.error if it is damaged.
    """
    members = archive.infolist()
    check_members(members, most=_MEMBERS)
    check_size(members, size)
    for member in members:
        with archive.open(member) as stream:
            version = npy.read_magic(stream)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"array {member.filename!r} is of the unknown format {version}")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            try:
                shape, _, kind = read(stream, max_header_size=_LONGEST_HEADER)
            except (SyntaxError, TokenError, TypeError, MemoryError, RecursionError) as error:
                raise ValueError(f"array {member.filename!r} has no header that can be read: {error}") from error
            there = member.file_size - stream.tell()
        if any(length < 0 for length in shape):
            raise ValueError(f"array {member.filename!r} has the shape {shape}")
        if not kind.hasobject and math.prod(shape) * kind.itemsize != there:
            raise ValueError(f"array {member.filename!r} claims the shape {shape} of {kind}, but has {there} bytes")
