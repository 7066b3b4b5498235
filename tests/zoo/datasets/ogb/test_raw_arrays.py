"""parsed: arrays in the cache are those of the files, and a damaged or forbidden cache is no trouble."""

import zipfile

import numpy as np
import pytest

from zoo.datasets.ogb import raw_arrays as module
from zoo.datasets.ogb.ogb_folder import open_folder
from zoo.datasets.ogb.raw_arrays import parsed


class Parser:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        rng = np.random.default_rng(0)
        self.arrays = {
            "small": np.array([-3, 200]),
            "large": np.array([[2**40], [-(2**40)]]),
            "floats": rng.normal(size=(3, 2)).astype(np.float32),
            "unknown": np.array([0.1, np.nan]),
            "none": np.zeros((0, 2), np.int64),
        }

    def __call__(self, folder):
        """The arrays."""
        self.calls += 1
        return self.arrays


@pytest.fixture
def folder(tiny):
    """A folder to parse."""
    tiny.graphs("ogbg-moltox21")
    return open_folder(tiny.store, "ogbg-moltox21")


def cached(tiny):
    """The one file in the cache of parsed arrays, beside its lock."""
    (file,) = (tiny.store.cache / "parsed").glob("[!.]*")
    return file


def test_second_time_from_the_cache(tiny, folder):
    """The second load parses nothing, and gives the same numbers in the same types, though kept in fewer bytes."""
    parse = Parser()
    first, second = parsed(tiny.store, folder, parse), parsed(tiny.store, folder, parse)
    assert parse.calls == 1
    for name, array in parse.arrays.items():
        assert np.array_equal(first[name], second[name], equal_nan=array.dtype.kind == "f")
        assert first[name].dtype == second[name].dtype
    with np.load(cached(tiny)) as found:
        assert found["small"].dtype == np.int16


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "text", "pickle"])
def test_broken_cache_is_made_anew(tiny, folder, damage):
    """A damaged cache is parsed again and replaced; an array in it that needs pickle is never opened."""
    parse = Parser()
    parsed(tiny.store, folder, parse)
    file = cached(tiny)
    good = file.read_bytes()
    if damage == "pickle":
        np.savez(file, small=np.array([{"a": 1}], dtype=object))
    else:
        with zipfile.ZipFile(file) as archive:
            middle = archive.getinfo("floats.npy").header_offset + 200
        flipped = good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :]
        file.write_bytes({"cut": good[: len(good) // 2], "bit": flipped, "empty": b"", "text": b"text"}[damage])
    again = parsed(tiny.store, folder, parse)
    assert parse.calls == 2
    assert np.array_equal(again["floats"], parse.arrays["floats"])
    parsed(tiny.store, folder, parse)
    assert parse.calls == 2


def test_cache_that_cannot_be_written(tiny, folder):
    """Where a file stands in the way of the cache folder the arrays are parsed, without complaint."""
    tiny.store.cache.mkdir(parents=True)
    (tiny.store.cache / "parsed").write_text("in the way")
    parse = Parser()
    assert parsed(tiny.store, folder, parse)["small"].tolist() == [-3, 200]
    assert parsed(tiny.store, folder, parse)["small"].tolist() == [-3, 200]
    assert parse.calls == 2


def test_interrupted_writing_leaves_nothing(tiny, folder, monkeypatch):
    """When writing is broken off, no file is left, half-written or temporary."""

    def broken_off(stream, **arrays):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module.np, "savez", broken_off)
    with pytest.raises(KeyboardInterrupt):
        parsed(tiny.store, folder, Parser())
    assert [file.suffix for file in tiny.store.cache.rglob("*") if file.is_file()] == [".lock"]
