"""Readers of npz files and sparse rows."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from zoo.datasets.readers import Archive, dense, row_of_each_entry
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


def test_dense_is_what_scipy_makes():
    """A random sparse matrix with empty rows becomes scipy's dense array."""
    values = np.random.default_rng(0).normal(size=(40, 30))
    matrix = sp.csr_matrix(np.where(values > 1.5, values, 0).astype(np.float32))
    assert (np.diff(matrix.indptr) == 0).any()
    ours = dense(matrix.data, matrix.indices, matrix.indptr, (40, 30))
    np.testing.assert_array_equal(ours, matrix.toarray())
    np.testing.assert_array_equal(row_of_each_entry(matrix.indptr, matrix.nnz), matrix.tocoo().row)


def test_entries_stored_twice_are_added():
    """Duplicates add up, as in scipy."""
    data, indices, indptr = np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2, 2])
    np.testing.assert_array_equal(dense(data, indices, indptr, (2, 3)), [[0, 3, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("data", "indices", "indptr"),
    [
        ([1.0], [5], [0, 1, 1]),
        ([1.0], [-1], [0, 1, 1]),
        ([1.0, 1.0], [0], [0, 1, 1]),
        ([1.0], [0], [0, 1]),
        ([1.0], [0], [0, 1, 2]),
        ([1.0], [0], [1, 1, 1]),
        ([1.0], [0], [0, 2, 1]),
    ],
)
def test_parts_that_do_not_fit_are_refused(data, indices, indptr):
    """Column out of range, lengths that differ, row pointers of another matrix."""
    with pytest.raises(ValueError, match=r"matrix|out of range"):
        dense(np.array(data), np.array(indices), np.array(indptr), (2, 3))


@pytest.mark.parametrize("indptr", [[0, 10**12], [0, -1], [1, 2], [], [[0, 2]]])
def test_row_pointers_that_claim_more_are_refused(indptr):
    """As many rows are listed as there are entries, and no more."""
    with pytest.raises(ValueError, match="do not run from 0 to 2"):
        row_of_each_entry(np.array(indptr), 2)


@pytest.mark.parametrize("shape", [(1, 10**12), (1, -1)])
def test_a_matrix_that_no_memory_holds_is_refused(shape):
    """Its shape is looked at before it is made."""
    with pytest.raises(ValueError, match=r"larger than any|do not make"):
        dense(np.zeros(0), np.zeros(0, int), np.zeros(2, int), shape)
