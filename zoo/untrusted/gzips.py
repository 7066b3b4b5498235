"""A gzip file unpacked as far as is sensible, and no further."""

import gzip
import io

FREE = 64 << 20  # bytes that any file may unpack to, however small it is
RATIO = 300  # of text with numbers in it; a column of zeros comes to 1000
_CHUNK = 1 << 20


def unpacked(data: bytes, *, ratio: int = RATIO, free: int = FREE) -> io.BytesIO:
    """What a gzip file holds.

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
