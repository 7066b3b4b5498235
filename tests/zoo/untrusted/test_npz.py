"""NumPy's archives before memory is asked for."""

import io
import zipfile

import numpy as np
import pytest

from zoo.untrusted.npz import check_npz


def checked(data: bytes) -> None:
    """Check an archive in memory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_npz(archive, len(data))


def claiming(header: str, body: bytes = b"12345678") -> bytes:
    """An archive of one array with a header of one's own."""
    text = header.ljust(117) + "\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + body)
    return stream.getvalue()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_passes(write):
    """Arrays of all kinds and shapes, empty ones too."""
    stream = io.BytesIO()
    arrays = [
        np.zeros((3, 4)),
        np.zeros((0, 5), np.int8),
        np.array(1.5),
        np.array(["ab", "c"]),
        np.asfortranarray(np.eye(3)),
    ]
    write(stream, *arrays)
    checked(stream.getvalue())


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(1000000, 1000000, 1000000)", "(2,)", "(0,)"])
def test_a_shape_that_is_not_there_is_refused(shape):
    """A header may claim no more, and no less, than the bytes behind it."""
    with pytest.raises(ValueError, match="claims the shape"):
        checked(claiming(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': 'x', 'shape': ()}",
        "[" * 60,
        "__import__('os')",
    ],
)
def test_headers_that_make_no_sense_are_refused(header):
    """Negative lengths, unknown types, what is no mapping."""
    with pytest.raises(ValueError):
        checked(claiming(header))


def test_a_bomb_is_refused():
    """Many arrays of zeros that deflate to a thousandth are refused before one is read."""
    stream = io.BytesIO()
    np.savez_compressed(stream, *[np.zeros(4 << 20) for _ in range(2)])
    data = stream.getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, pytest.raises(ValueError, match="would unpack to"):
        check_npz(archive, len(data) // 10)
