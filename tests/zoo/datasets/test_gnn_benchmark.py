import numpy as np
import pytest
import scipy.sparse as sp

from zoo.datasets import gnn_benchmark
from zoo.datasets.files import source_files
from zoo.datasets.store import SourceFile, Store
from zoo.errors import DataBroken


def matrix(arrays, kind: str) -> sp.csr_matrix:
    """One of the file's sparse matrices as scipy reads it."""
    parts = (arrays[f"{kind}_data"], arrays[f"{kind}_indices"], arrays[f"{kind}_indptr"])
    return sp.csr_matrix(parts, shape=arrays[f"{kind}_shape"])


def test_equals_what_scipy_reads(store, real):
    """Amazon Photo's features and edges are those of scipy's matrices made from the same file."""
    data = gnn_benchmark.amazon_photo(store)
    (file,) = source_files("amazon-photo")
    with np.load(real / file.path, allow_pickle=False) as arrays:
        assert np.array_equal(data.features.numpy(), matrix(arrays, "attr").toarray())
        adjacency = matrix(arrays, "adj").tocoo()
        assert np.array_equal(data.src.numpy(), adjacency.row)
        assert np.array_equal(data.dst.numpy(), adjacency.col)
        assert np.array_equal(data.labels.numpy(), arrays["labels"])


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A function that writes a file in the format of the source, with the changes given, and returns a store of it."""

    def make(**changes) -> Store:
        (file,) = source_files("coauthor-cs")
        monkeypatch.setattr(gnn_benchmark, "source_files", lambda _: [SourceFile(file.path)])
        arrays = {"labels": np.array([0, 2, 1]), "node_names": np.array(["a", None], dtype=object)}
        for kind, dense in (("adj", np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])), ("attr", np.eye(3, 4))):
            made = sp.csr_matrix(dense.astype(np.float32))
            for part in ("data", "indices", "indptr", "shape"):
                arrays[f"{kind}_{part}"] = np.asarray(getattr(made, part))
        (tmp_path / file.path).parent.mkdir(parents=True)
        np.savez(tmp_path / file.path, **{**arrays, **changes})
        return Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)

    return make


def test_pickled_names_in_the_file_are_never_read(small):
    """The originals hold pickled name lists beside the numbers; the numbers are read without them."""
    data = gnn_benchmark.coauthor_cs(small())
    assert (data.src.tolist(), data.dst.tolist()) == ([0, 1], [1, 2])
    assert data.features.tolist() == np.eye(3, 4).tolist()
    assert (data.labels.tolist(), data.classes, data.masks) == ([0, 2, 1], 3, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"attr_indptr": np.array([0, 1])},
        {"labels": np.array([None], dtype=object)},
        {"attr_indices": np.full(3, 9)},
        {"attr_shape": np.array([3, 4, 5])},
    ],
)
def test_arrays_that_do_not_fit_are_refused(small, changes):
    """Broken row pointers, columns out of range, pickled labels and a shape of three sides raise DataBroken."""
    with pytest.raises(DataBroken, match="coauthor_cs"):
        gnn_benchmark.coauthor_cs(small(**changes))
