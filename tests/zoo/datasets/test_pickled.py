"""Pickles of numbers and files of torch.save."""

import io
import os
import pickle
import threading
import tracemalloc
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.pickled import SparseRows, torch_arrays, unpickle
from zoo.datasets.readers import dense
from zoo.datasets.store import Content, SourceFile
from zoo.errors import DataBroken


def content(data: bytes) -> Content:
    """Bytes as if they had been found in a file."""
    return Content(SourceFile("d/x"), Path("/data/d/x"), data)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        """The call, to be made by whoever unpickles this."""
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch /tmp/never",)),
        (eval, ("1+1",)),
        (getattr, ("x", "upper")),
        (np.load, ("x",)),
        (OrderedDict, ()),
    ],
)
def test_calls_are_refused(protocol, function, arguments):
    """A pickle that names a function outside the short list is refused before it can call it; the name is told."""
    with pytest.raises(DataBroken, match=r"it names .*not allowed"):
        unpickle(content(pickle.dumps(Call(function, *arguments), protocol)), object)


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.ctypes\x93.",
        b"\x80\x04\x8c\x0bcollections\x8c\x20defaultdict.fromkeys.__globals__\x93.",
    ],
)
def test_hand_written_attacks_are_refused(data):
    """Old-style calls and dotted paths through an allowed name get nowhere."""
    with pytest.raises(DataBroken, match="not allowed"):
        unpickle(content(data), object)


def test_a_default_dictionary_cannot_smuggle_a_function():
    """The factory of a defaultdict is a name like any other, and has to be allowed."""
    with pytest.raises(DataBroken, match="not allowed"):
        unpickle(content(pickle.dumps(defaultdict(os.getcwd))), dict)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numbers_come_back(protocol):
    """Sparse matrices and dictionaries of lists survive, written by today's libraries too."""
    matrix = sp.csr_matrix(np.arange(35, dtype=np.float32).reshape(7, 5) % 3)
    rows = unpickle(content(_without_codecs(matrix, protocol)), SparseRows)
    np.testing.assert_array_equal(dense(rows.data, rows.indices, rows.indptr, rows.shape), matrix.toarray())
    graph = defaultdict(list, {0: [1, 2], 1: [0]})
    assert unpickle(content(pickle.dumps(graph, protocol)), dict) == {0: [1, 2], 1: [0]}


def _without_codecs(value: object, protocol: int) -> bytes:
    # protocol 2 writes bytes as a call of _codecs.encode, which Python 2 never did and we do not allow
    return pickle.dumps(value, max(protocol, 3))


def test_python_2_arrays_are_read_as_latin1():
    """The byte strings of a Python 2 pickle are taken as they are: the array [1, 2] as Python 2's numpy writes it."""
    written = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x02\x85"
        b"cnumpy\ndtype\nq\x04U\x02i4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x01\x00\x00\x00\xff\x00\x00\x00tb."
    )
    assert unpickle(content(written), np.ndarray).tolist() == [1, 255]


def test_another_kind_of_object_is_refused():
    """A list where an array was expected is named as such."""
    with pytest.raises(DataBroken, match="holds a list, not a ndarray"):
        unpickle(content(pickle.dumps([1])), np.ndarray)


@given(cut=st.integers(min_value=0, max_value=400))
def test_a_truncated_pickle_is_refused(cut):
    """Wherever the file ends too early, the error is DataBroken."""
    whole = pickle.dumps(np.arange(50), 4)
    with pytest.raises(DataBroken, match="/data/d/x"):
        unpickle(content(whole[: min(cut, len(whole) - 1)]), np.ndarray)


def reconstructed(shape: bytes, *, code: bytes = b"f8", state: bytes = b"") -> bytes:
    """A pickle that begins an array of that shape as numpy does."""
    begun = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + shape + b"S'" + code + b"'\ntR"
    return begun + state + b"."


_DTYPE = b"cnumpy\ndtype\n(S'%s'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (reconstructed(b"(L1000000000000L\nt"), "begins an array of shape"),
        (b"cnumpy\nndarray\n((L1000000000000L\nttR.", "by a call"),
        (b"\x80\x02cnumpy\nndarray\n(K\x05t\x81.", "by a call"),
        (
            reconstructed(b"(I0\nt", state=b"(I1\n(L1000000000000L\nt" + _DTYPE % b"f8" + b"I00\nS'abc'\ntb"),
            "with 3 bytes",
        ),
        (reconstructed(b"(I0\nt", state=b"(I1\n(I-1\nt" + _DTYPE % b"f8" + b"I00\nS''\ntb"), "without a shape"),
        (reconstructed(b"(I0\nt", state=b"(I1\n(I1\nt" + _DTYPE % b"O8" + b"I00\n(lp0\nNatb"), "not of numbers"),
        (b"cnumpy\ndtype\n(S'V1000000000000'\ntR.", "not of numbers"),
        (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\n(S'a'\ntNNI-1\nI-1\nI0\ntb.", "array of records"),
        (b"c__builtin__\nlist\n(S'abc'\ntR.", "list of something else"),
        (b"ccollections\ndefaultdict\n(ccollections\ndefaultdict\ntR.", "with a factory"),
        (b"c_codecs\nencode\n(S'abc'\nS'bz2'\ntR.", "other than bytes"),
        (
            b"(lV" + b"a" * 5000 + b"\np1\n0" + b"c_codecs\nencode\n(g1\nS'latin1'\ntRa" * 400 + b".",
            "more bytes than the file",
        ),
        (b"ccollections\ndefaultdict\n}S'a'\nI1\nsb.", "changes what it calls"),
        (b"c_codecs\nencode\n(N}S'_call'\nI1\nstb.", "changes what it calls"),
        (b"cscipy.sparse.csr\ncsr_matrix\n(N}S'shape'\nI1\nstb.", "TypeError"),
        (b"cnumpy\nndarray\n(N}S'__setstate__'\nI1\nstb.", "TypeError"),
        (b"]r\xff\xff\xff\x7f.", "its memo has a place"),
        (b"(" * 100_000 + b".", "UnpicklingError"),
        (b"]" * 100_000 + b"a" * 99_999 + b".", "holds a list"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_short_pickle_takes_no_memory(data, words):
    """What claims more than it has is DataBroken, and less than 100 MB are asked for on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(DataBroken, match=words):
            unpickle(content(data), np.ndarray)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_arrays_are_numpys_own():
    """What was checked on the way in is a plain array afterwards, by itself, by name and in a matrix."""
    assert type(unpickle(content(pickle.dumps(np.eye(2), 4)), np.ndarray)) is np.ndarray
    assert type(unpickle(content(pickle.dumps({"a": np.eye(2)}, 4)), dict)["a"]) is np.ndarray
    rows = unpickle(content(pickle.dumps(sp.csr_matrix(np.eye(2)), 4)), SparseRows)
    assert {type(rows.data), type(rows.indices), type(rows.indptr)} == {np.ndarray}
    order = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(unpickle(content(pickle.dumps(order, 4)), np.ndarray), order)


ARRAYS = {"edge": np.arange(12).reshape(6, 2), "weight": np.array([0.5, 2.0]), "year": np.array([3], np.int32)}


def saved(value, **options) -> Content:
    """The value as `torch.save` writes it."""
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return Content(SourceFile("train.pt"), Path("/data/train.pt"), stream.getvalue())


class Evil:
    """Leaves a mark when it is unpickled."""

    marks: list[str] = []  # noqa: RUF012

    def __reduce__(self):
        return Evil.marks.append, ("run",)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_arrays_come_back(protocol, zipped):
    """NumPy arrays in either of torch's formats, in the protocols that OGB uses, come back as they were."""
    found = torch_arrays(saved(ARRAYS, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_tensors_become_arrays():
    """Tensors, as some files have them, are arrays afterwards."""
    found = torch_arrays(saved({"edge": torch.arange(4)}))
    assert isinstance(found["edge"], np.ndarray)
    assert found["edge"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_run(protocol, zipped):
    """A file that names a function is refused before that is called."""
    Evil.marks.clear()
    with pytest.raises(DataBroken, match="not allowed"):
        torch_arrays(saved({"edge": Evil()}, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped))
    assert Evil.marks == []


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9])
def test_truncated_file(zipped, share):
    """A file that was cut anywhere is one DataBroken with its path."""
    whole = saved(ARRAYS, _use_new_zipfile_serialization=zipped)
    cut = Content(whole.file, whole.place, whole.data[: int(share * len(whole.data))])
    with pytest.raises(DataBroken, match=r"/data/train\.pt — cannot be read"):
        torch_arrays(cut)


@pytest.mark.parametrize(("value", "wrong"), [([1, 2], "holds a list"), ({"edge": "word"}, "no array of numbers")])
def test_files_without_arrays(value, wrong):
    """What is no dictionary of arrays is refused."""
    with pytest.raises(DataBroken, match=wrong):
        torch_arrays(saved(value))


def test_what_torch_allows_is_as_before():
    """Nothing stays allowed after a load, also when several threads load at once."""
    before = set(torch.serialization.get_safe_globals())
    made = saved(ARRAYS)
    threads = [threading.Thread(target=torch_arrays, args=(made,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(made.data))


def test_what_would_blow_up_is_refused():
    """A compressed member, a tensor that repeats one number without end, and lists in place of arrays."""
    whole = saved(ARRAYS).data
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    packed = Content(SourceFile("train.pt"), Path("/data/train.pt"), stream.getvalue())
    for made, words in (
        (packed, "is compressed"),
        (saved({"edge": torch.zeros(1).expand(10**12)}), "claims 4000000000000 bytes"),
        (saved({"edge": [1, 2]}), "is no array"),
    ):
        with pytest.raises(DataBroken, match=words):
            torch_arrays(made)


@pytest.mark.parametrize("zipped", [True, False])
def test_an_array_that_claims_more_than_is_there_is_refused(zipped):
    """Its shape is held against its bytes before memory is asked for."""
    data = saved({"edge": np.arange(7)}, pickle_protocol=2, _use_new_zipfile_serialization=zipped).data
    assert data.count(b"K\x07\x85") == 1
    stream = io.BytesIO(data.replace(b"K\x07\x85", b"K\xff\x85"))
    if zipped:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream := io.BytesIO(), "w") as new:
            for member in old.infolist():
                new.writestr(member.filename, old.read(member).replace(b"K\x07\x85", b"K\xff\x85"))
    with pytest.raises(DataBroken, match=r"shape \(255,\) with 56 bytes"):
        torch_arrays(Content(SourceFile("train.pt"), Path("/data/train.pt"), stream.getvalue()))
