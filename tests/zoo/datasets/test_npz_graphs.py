"""Graphs of one npz file each."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from zoo.datasets import npz_graphs
from zoo.datasets.sources import source_files
from zoo.datasets.store import SourceFile, Store
from zoo.dgl_backend import dgl
from zoo.errors import DataBroken


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_equals_dgls_own_loader(store, scratch):
    """Minesweeper's features, labels, masks and edges are those that DGL reads from the same file."""
    ours = npz_graphs.minesweeper(store)
    raw = scratch("dgl/minesweeper_61c0a166") / "dgl"
    theirs = dgl.data.MinesweeperDataset(raw_dir=str(raw), verbose=False)[0]
    assert torch.equal(ours.features, theirs.ndata["feat"])
    assert torch.equal(ours.labels, theirs.ndata["label"])
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(ours.masks["public"], part), theirs.ndata[f"{part}_mask"].bool().T)
    src, dst = theirs.edges()
    assert len(src) == len(ours.src)
    keys = [torch.sort(a * ours.nodes + b).values for a, b in ((ours.src, ours.dst), (src, dst))]
    assert torch.equal(*keys)


@pytest.mark.parametrize("name", ["roman_empire", "amazon_ratings", "questions"])
@pytest.mark.parametrize("pairs", [[[0, 1], [2, 1]], [[0, 1], [1, 0], [2, 1], [2, 1]]])
def test_the_others_read_the_same_format(tmp_path, monkeypatch, name, pairs):
    """A made-up file of the published format: each edge in both directions, once, whatever the file repeats."""
    (file,) = source_files(name.replace("_", "-"))
    monkeypatch.setattr(npz_graphs, "source_files", lambda *_: [SourceFile(file.path)])
    (tmp_path / file.path).parent.mkdir(parents=True)
    masks = {f"{part}_masks": np.eye(3, dtype=bool)[[row, row]] for row, part in enumerate(("train", "val", "test"))}
    np.savez(
        tmp_path / file.path,
        node_features=np.ones((3, 2)),
        node_labels=np.array([0, 1, 0]),
        edges=np.array(pairs),
        **masks,  # pyright: ignore[reportArgumentType]
    )
    data = getattr(npz_graphs, name)(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))
    assert (data.src.tolist(), data.dst.tolist()) == ([0, 1, 1, 2], [1, 0, 2, 1])
    assert data.features.dtype == torch.float32
    assert data.metric == ("rocauc" if name == "questions" else "accuracy")
    assert data.masks["public"].val.tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("edges", [np.zeros((2, 3), int), np.zeros(4, int)])
def test_edges_of_another_shape_are_refused(tmp_path, monkeypatch, edges):
    """An edge array that is not [edges, 2] raises DataBroken."""
    (file,) = source_files("questions")
    monkeypatch.setattr(npz_graphs, "source_files", lambda *_: [SourceFile(file.path)])
    (tmp_path / file.path).parent.mkdir(parents=True)
    np.savez(tmp_path / file.path, node_features=np.ones((3, 2)), node_labels=np.zeros(3, int), edges=edges)
    with pytest.raises(DataBroken, match="'edges' has shape"):
        npz_graphs.questions(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))


def matrix(arrays, kind: str) -> sp.csr_matrix:
    """One of the file's sparse matrices as scipy reads it."""
    parts = (arrays[f"{kind}_data"], arrays[f"{kind}_indices"], arrays[f"{kind}_indptr"])
    return sp.csr_matrix(parts, shape=arrays[f"{kind}_shape"])


def test_equals_what_scipy_reads(store, real):
    """Amazon Photo's features and edges are those of scipy's matrices made from the same file."""
    data = npz_graphs.amazon_photo(store)
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
        monkeypatch.setattr(npz_graphs, "source_files", lambda *_: [SourceFile(file.path)])
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
    data = npz_graphs.coauthor_cs(small())
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
        npz_graphs.coauthor_cs(small(**changes))
