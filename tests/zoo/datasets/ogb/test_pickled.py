"""pickled: arrays come out of `.pt` files of any age, and nothing in them is run."""

import io
import pickle
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.datasets.ogb.pickled import torch_arrays
from zoo.datasets.store import Content, SourceFile
from zoo.errors import DataBroken

ARRAYS = {"edge": np.arange(12).reshape(6, 2), "weight": np.array([0.5, 2.0]), "year": np.array([3], np.int32)}


def content(value, **options) -> Content:
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
    found = torch_arrays(content(ARRAYS, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_tensors_become_arrays():
    """Tensors, as some files have them, are arrays afterwards."""
    found = torch_arrays(content({"edge": torch.arange(4)}))
    assert isinstance(found["edge"], np.ndarray)
    assert found["edge"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_run(protocol, zipped):
    """A file that names a function is refused before that is called."""
    Evil.marks.clear()
    with pytest.raises(DataBroken, match="not allowed"):
        torch_arrays(content({"edge": Evil()}, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped))
    assert Evil.marks == []


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9])
def test_truncated_file(zipped, share):
    """A file that was cut anywhere is one DataBroken with its path."""
    whole = content(ARRAYS, _use_new_zipfile_serialization=zipped)
    cut = Content(whole.file, whole.place, whole.data[: int(share * len(whole.data))])
    with pytest.raises(DataBroken, match=r"/data/train\.pt — cannot be read"):
        torch_arrays(cut)


@pytest.mark.parametrize(("value", "wrong"), [([1, 2], "holds a list"), ({"edge": "word"}, "no array of numbers")])
def test_files_without_arrays(value, wrong):
    """What is no dictionary of arrays is refused."""
    with pytest.raises(DataBroken, match=wrong):
        torch_arrays(content(value))


def test_what_torch_allows_is_as_before():
    """Nothing stays allowed after a load, also when several threads load at once."""
    before = set(torch.serialization.get_safe_globals())
    made = content(ARRAYS)
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
    whole = content(ARRAYS).data
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    packed = Content(SourceFile("train.pt"), Path("/data/train.pt"), stream.getvalue())
    for made, words in (
        (packed, "is compressed"),
        (content({"edge": torch.zeros(1).expand(10**12)}), "claims 4000000000000 bytes"),
        (content({"edge": [1, 2]}), "is no array"),
    ):
        with pytest.raises(DataBroken, match=words):
            torch_arrays(made)


@pytest.mark.parametrize("zipped", [True, False])
def test_an_array_that_claims_more_than_is_there_is_refused(zipped):
    """Its shape is held against its bytes before memory is asked for."""
    data = content({"edge": np.arange(7)}, pickle_protocol=2, _use_new_zipfile_serialization=zipped).data
    assert data.count(b"K\x07\x85") == 1
    stream = io.BytesIO(data.replace(b"K\x07\x85", b"K\xff\x85"))
    if zipped:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream := io.BytesIO(), "w") as new:
            for member in old.infolist():
                new.writestr(member.filename, old.read(member).replace(b"K\x07\x85", b"K\xff\x85"))
    with pytest.raises(DataBroken, match=r"shape \(255,\) with 56 bytes"):
        torch_arrays(Content(SourceFile("train.pt"), Path("/data/train.pt"), stream.getvalue()))
