import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets.archive import Archive, stacked_masks
from zoo.datasets.store import Content, SourceFile
from zoo.errors import DataBroken


def content(data: bytes) -> Content:
    """Bytes as if they had been found in a file."""
    return Content(SourceFile("d/x.npz"), Path("/data/d/x.npz"), data)


def npz(**arrays) -> bytes:
    """An npz archive in memory."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


class Trap:
    """Notices when it is unpickled."""

    def __reduce__(self):
        """Fail the test if this ever runs."""
        return (pytest.fail, ("a pickle was run",))


def test_arrays_come_back():
    """Names and values are those that were saved."""
    archive = Archive(content(npz(a=np.arange(3), b=np.eye(2))))
    assert set(archive) == {"a", "b"}
    assert len(archive) == 2
    np.testing.assert_array_equal(archive["b"], np.eye(2))


def test_a_pickled_array_is_refused_and_never_run():
    """An object array raises DataBroken when asked for; plain arrays next to it can still be read."""
    archive = Archive(content(npz(bad=np.array([Trap()], dtype=object), good=np.arange(2))))
    np.testing.assert_array_equal(archive["good"], [0, 1])
    with pytest.raises(DataBroken, match=r"/data/d/x.npz.*'bad'"):
        archive["bad"]


def test_a_missing_array_is_named():
    """The message has the name asked for and those there are."""
    with pytest.raises(DataBroken, match=r"'edges'.*only a, b"):
        Archive(content(npz(a=np.arange(3), b=np.eye(2))))["edges"]


@pytest.mark.parametrize("data", [b"", b"not a zip", npz(a=np.arange(1000))[:-30], b"\x80\x04\x95bad pickle"])
def test_what_is_no_archive_is_refused(data):
    """Empty, foreign and truncated files raise DataBroken."""
    with pytest.raises(DataBroken, match="cannot be read"):
        Archive(content(data))


def test_a_lone_array_is_no_archive():
    """A .npy file in place of an .npz gives the same error."""
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    with pytest.raises(DataBroken):
        Archive(content(buffer.getvalue()))


def test_a_flipped_byte_is_noticed():
    """The archive's own check sum catches damage inside an array."""
    data = bytearray(npz(a=np.random.default_rng(0).random(1000)))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DataBroken):
        Archive(content(bytes(data)))["a"]


def test_masks_are_stacked_in_order():
    """Each file becomes one row of each mask, as booleans whatever their type was."""
    one = npz(train_mask=np.array([1, 0, 0], np.uint8), val_mask=np.array([0, 1, 0]), test_mask=np.array([0, 0, 1]))
    two = npz(train_mask=np.array([0, 0, 1], bool), val_mask=np.array([1, 0, 0]), test_mask=np.array([0, 1, 0]))
    masks = stacked_masks([content(one), content(two)])
    assert masks.train.tolist() == [[True, False, False], [False, False, True]]
    assert masks.val.tolist() == [[False, True, False], [True, False, False]]
    assert masks.test.tolist() == [[False, False, True], [False, True, False]]


def test_an_array_that_claims_more_than_is_there_is_refused():
    """A header of 10^12 numbers before eight bytes asks for no memory."""
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}".ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8))
    with pytest.raises(DataBroken, match=r"claims the shape \(1000000000000,\)"):
        Archive(content(buffer.getvalue()))


def test_a_member_outside_is_refused():
    """An archive of arrays has no paths that climb."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("../a.npy", b"x")
    with pytest.raises(DataBroken, match="leave its folder"):
        Archive(content(buffer.getvalue()))
