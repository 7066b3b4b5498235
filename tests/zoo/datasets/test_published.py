"""Data held against what is published of them, and files of other bytes taken by what they hold."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from registry import datasets
from zoo.datasets import geom_gcn, npz_graphs, planetoid, published, tu
from zoo.datasets.base import Data, NodeData
from zoo.datasets.pickled import SparseRows, load_numbers
from zoo.datasets.published import differences, edge_homophily
from zoo.datasets.sources import _files, source_files
from zoo.datasets.store import Store
from zoo.errors import DataBroken

SMALL = "dgl/minesweeper_61c0a166/minesweeper.npz"


@pytest.fixture
def changed(scratch, tmp_path):
    """A function that has a file of real data changed by another one, and returns a store of its folder."""

    def make(path: str, change) -> Store:
        folder = scratch(path.rpartition("/")[0])
        change(folder / path)
        return Store(folders=[folder], cache=tmp_path / "cache", offline=True)

    return make


def note_of(data: Data) -> str:
    """How files of unknown bytes were verified."""
    assert data.verified is not None
    return data.verified


def rewrite(**changes):
    """Write an npz anew without compression, with some arrays changed."""

    def change(file):
        with np.load(file) as found:
            arrays = {name: found[name] for name in found.files}
        for name, of in changes.items():
            arrays[name] = of(arrays[name])
        np.savez(file, **arrays)

    return change


def flipped(array):
    """The array with its first number another."""
    array.reshape(-1)[0] = 1 - array.reshape(-1)[0]
    return array


def swapped(array):
    """The array with the labels of two nodes of different classes swapped, which no count sees."""
    other = int((array != array[0]).argmax())
    array[[0, other]] = array[[other, 0]]
    return array


def test_every_data_set_of_files_has_its_published_counts():
    """No data set of the zoo's own files is without nodes, edges, features, classes and where they are published."""
    names = {name for name in _files() if "/" not in name and not name.startswith("ogb")}
    rows = published.published()
    assert names <= set(rows) <= set(datasets.names())
    for name in names:
        assert all(rows[name][column] for column in ("nodes", "edges", "features", "classes", "source"))


def test_homophily_is_the_share_of_edges_of_one_class():
    """Of the edges 0–1 (twice), 1–2, and a loop, one of two joins equal labels."""
    data = NodeData(
        "x", torch.tensor([0, 1, 1, 2]), torch.tensor([1, 0, 2, 2]), torch.ones(3, 1), torch.tensor([0, 0, 1]), 2
    )
    assert edge_homophily(data) == 0.5


def test_differences_are_named(store):
    """Each count that is another is said beside the published one; texas is no cornell."""
    texas = geom_gcn.texas(store)
    assert differences(texas) == []
    assert differences(replace(texas, name="cornell")) == [
        "edges 325, published 298",
        "nodes of each class 33 1 18 101 30, published 38 16 30 82 17",
        "edge homophily 0.061, published 0.123",
    ]


def test_another_encoding_of_the_same_arrays_is_taken(changed, store):
    """A file of other bytes is read, its arrays are held against the known ones, and the record says so."""
    data = npz_graphs.minesweeper(changed(SMALL, rewrite()))
    assert "minesweeper.npz are not known: every array equals" in note_of(data)
    known = npz_graphs.minesweeper(store)
    assert known.verified is None
    assert torch.equal(data.features, known.features)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rewrite(node_features=flipped), "features differ from those of the known files"),
        (rewrite(node_labels=flipped), "nodes of each class"),
        (rewrite(node_labels=swapped), "labels differ"),
        (rewrite(train_masks=lambda masks: ~masks), "masks.public.train differ"),
        (rewrite(edges=lambda edges: edges[1:]), "edges 78802, published 78804"),
        (rewrite(edges=lambda edges: edges[:, [1, 1]]), "edges"),
        (lambda file: file.write_bytes(file.read_bytes()[:-100]), "cannot be read"),
        (lambda file: file.write_bytes(b""), "cannot be read"),
    ],
)
def test_what_holds_something_else_is_refused(changed, change, words):
    """One number, label, mask or edge that is another, and a file cut short: DataBroken that names file and change."""
    with pytest.raises(DataBroken, match=r"1 of 1 files are broken") as caught:
        npz_graphs.minesweeper(changed(SMALL, change))
    for each in (words, SMALL, "wrong content", "get it again from https://"):
        assert each in str(caught.value)


def test_without_known_arrays_the_note_says_what_was_not_verified(changed, monkeypatch):
    """Where the arrays were never at hand the counts decide, and a change that they do not see is owned up to."""
    monkeypatch.setattr(published, "_arrays", dict)
    data = npz_graphs.minesweeper(changed(SMALL, rewrite(node_labels=swapped)))
    assert "as published are nodes, edges, features, classes" in note_of(data)
    assert "a change that leaves those as they are would not be seen" in note_of(data)
    with pytest.raises(DataBroken, match="edges 78802, published 78804"):
        npz_graphs.minesweeper(changed(SMALL, rewrite(edges=lambda edges: edges[1:])))


def test_text_with_other_line_ends_is_the_same(changed):
    """A TU file as Windows writes it holds the same graphs; with another edge it does not."""
    path = "dgl/MUTAG_47395044/MUTAG/MUTAG_A.txt"
    store = changed(path, lambda file: file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n")))
    assert "MUTAG_A.txt" in note_of(tu.mutag(store))
    other = changed(path, lambda file: file.write_bytes(file.read_bytes().replace(b"1, 2\n", b"1, 3\n", 1)))
    with pytest.raises(DataBroken, match="edges differ"):
        tu.mutag(other)


def test_pickles_of_other_bytes_go_through_the_restricted_unpickler(changed):
    """Arrays that were pickled anew by another protocol are taken; what would run code is refused before it does."""
    path = source_files("cora")[5].path  # the classes of all training papers

    def again(file):
        with file.open("rb") as stream:
            found = load_numbers(stream)
        assert not isinstance(found, SparseRows)
        file.write_bytes(pickle.dumps(found, protocol=2))

    assert "every array equals" in note_of(planetoid.cora(changed(path, again)))
    with pytest.raises(DataBroken, match="not allowed"):
        planetoid.cora(changed(path, lambda file: file.write_bytes(pickle.dumps(print, protocol=2))))


def test_what_is_not_coauthor_cs_is_refused_by_its_counts(tmp_path):
    """A file of another digest under its name: the counts that differ are said beside the published ones."""
    (file,) = source_files("coauthor-cs")
    place = tmp_path / file.path
    place.parent.mkdir(parents=True)
    graph = {"adj_indptr": np.array([0, 1, 1]), "adj_indices": np.array([1]), "labels": np.array([0, 14])}
    words = {"attr_data": np.ones(1), "attr_indices": np.array([0]), "attr_indptr": np.array([0, 1, 1])}
    np.savez(place, **graph, **words, attr_shape=np.array([2, 6805]))
    with pytest.raises(DataBroken, match=r"nodes 2, published 18333\n.*edges 1, published 163788"):
        npz_graphs.coauthor_cs(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))
