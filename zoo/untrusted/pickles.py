"""Pickles looked through before they are run: only what plain data is written with, in no more memory than it needs."""

import io
import pickletools
from typing import BinaryIO

# Everything that writes numbers, text, lists, tuples, dictionaries, sets and arrays, in protocols 0 to 5. Not here:
# objects of persistent stores other than PyTorch's, extension codes, buffers out of band, the call of a class by name.
_REFUSED = frozenset(["INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"])
_MEMO = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])


def scan(stream: BinaryIO) -> bytes:
    """The one pickle that begins here, as bytes; the stream stands behind it then. Nothing of it is run.

    Refused is what plain data has no use for, and a place in the memo far beyond its objects, for which the unpickler
    would fill gigabytes with nothing.
    Raises: ValueError if it is refused, or damaged.
    """
    begin = stream.tell()
    put = 0
    for operation, argument, place in pickletools.genops(stream):
        if operation.name in _REFUSED:
            raise ValueError(f"it uses {operation.name} at byte {place}, which plain data does not need")
        if operation.name in _MEMO:
            put += 1
            if not isinstance(argument, int) or not 0 <= argument <= 2 * put + 16:
                raise ValueError(f"its memo has a place {argument} after {put} objects")
    end = stream.tell()
    stream.seek(begin)
    return stream.read(end - begin)


def scan_bytes(data: bytes) -> bytes:
    """As `scan`, of the pickle that these bytes begin with."""
    return scan(io.BytesIO(data))
