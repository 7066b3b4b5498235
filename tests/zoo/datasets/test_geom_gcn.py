import shutil

import numpy as np
import pytest
import torch

from zoo.datasets import geom_gcn
from zoo.datasets.geom_gcn import stacked_masks
from zoo.datasets.prepare import prepare
from zoo.datasets.sources import source_files
from zoo.datasets.store import Content, SourceFile, Store
from zoo.dgl_backend import dgl
from zoo.errors import DataBroken


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
@pytest.mark.parametrize(
    ("load", "oracle", "folder"),
    [
        (geom_gcn.chameleon, "ChameleonDataset", "dgl/chameleon_03d661d3"),
        (geom_gcn.actor, "ActorDataset", "dgl/actor_08cc9b02"),
        (geom_gcn.texas, "TexasDataset", "dgl/texas_205d1148"),
    ],
)
def test_equals_dgls_own_loader(store, scratch, load, oracle, folder):
    """Features, labels, masks and, edge by edge, the graph with every edge turned around are those that DGL reads."""
    ours = load(store)
    theirs = getattr(dgl.data, oracle)(raw_dir=str(scratch(folder) / "dgl"), verbose=False)[0]
    assert torch.equal(ours.features, theirs.ndata["feat"])
    assert torch.equal(ours.labels, theirs.ndata["label"])
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(ours.masks["public"], part), theirs.ndata[f"{part}_mask"].bool().T)
    turned = prepare(ours, self_loops="keep", direction="reverse", features="none")
    src, dst = theirs.edges()
    assert torch.equal(turned.src, src)
    assert torch.equal(turned.dst, dst)


def test_edges_have_the_direction_of_the_authors_who_reuse_them(store, real):
    """Platonov et al. publish the same directed edges of Chameleon, first column → second column."""
    file = real / "heterophilous" / "chameleon_directed.npz"
    if not file.is_file():
        pytest.skip("the data folder has no heterophilous/chameleon_directed.npz")
    ours = geom_gcn.chameleon(store)
    with np.load(file, allow_pickle=False) as theirs:
        edges = {(int(a), int(b)) for a, b in theirs["edges"]}
        assert np.array_equal(theirs["node_features"], ours.features.numpy())
        assert np.array_equal(theirs["node_labels"], ours.labels.numpy())
        assert np.array_equal(theirs["train_masks"], ours.masks["public"].train.numpy())
    assert set(zip(ours.src.tolist(), ours.dst.tolist(), strict=True)) == edges


@pytest.mark.parametrize("name", ["chameleon", "squirrel", "actor", "cornell", "texas"])
def test_equals_what_the_authors_who_reuse_it_publish(store, real, name):
    """Features, labels, splits and undirected edges are those of Platonov et al.: another hand than the files'."""
    file = real / "heterophilous" / f"{name}.npz"
    if not file.is_file():
        pytest.skip(f"the data folder has no heterophilous/{name}.npz")
    ours = prepare(getattr(geom_gcn, name)(store), self_loops="keep", direction="both", features="none")
    with np.load(file, allow_pickle=False) as theirs:
        assert np.array_equal(theirs["node_features"], ours.features.numpy())
        assert np.array_equal(theirs["node_labels"], ours.labels.numpy())
        for part in ("train", "val", "test"):
            assert np.array_equal(theirs[f"{part}_masks"], getattr(ours.masks["public"], part).numpy())
        edges = {(int(a), int(b)) for one, other in theirs["edges"] for a, b in ((one, other), (other, one)) if a != b}
    found = zip(ours.src.tolist(), ours.dst.tolist(), strict=True)
    assert {(a, b) for a, b in found if a != b} == edges


def test_texas_under_cornells_name_is_refused_by_name(scratch, tmp_path):
    """The nodes that were distributed as Cornell's until 2022 are called what they are, with the address of better."""
    folder = scratch("dgl/cornell_90c4aadb", "dgl/texas_205d1148")
    name = "out1_node_feature_label.txt"
    shutil.copyfile(folder / "dgl/texas_205d1148" / name, folder / "dgl/cornell_90c4aadb" / name)
    with pytest.raises(DataBroken, match="1 of 12 files") as caught:
        geom_gcn.cornell(Store(folders=[folder], cache=tmp_path / "cache", offline=True))
    for words in ("Texas's words and classes", "2022", "bingzhewei/geom-gcn/1124af1", name):
        assert words in str(caught.value)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A function that lays out made-up files under the name of a data set and returns a store of them."""

    def make(name: str, nodes: str, edges: str) -> Store:
        files = [SourceFile(file.path) for file in source_files(name)]
        monkeypatch.setattr(geom_gcn, "source_files", lambda *_: files)
        for file in files:
            target = tmp_path / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.name.endswith(".npz"):
                np.savez(target, train_mask=[1, 0, 0], val_mask=[0, 1, 0], test_mask=[0, 0, 1])
            else:
                target.write_text(nodes if "node" in file.name else edges)
        return Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)

    return make


def test_masks_are_stacked_in_order(tmp_path):
    """Each file becomes one row of each mask, as booleans whatever their type was."""
    contents = []
    for shift, dtype in ((0, np.uint8), (2, bool)):
        masks = np.roll(np.eye(3, dtype=dtype), shift, axis=1)
        np.savez(tmp_path / "x.npz", train_mask=masks[0], val_mask=masks[1], test_mask=masks[2])
        contents.append(Content(SourceFile("x.npz"), tmp_path, (tmp_path / "x.npz").read_bytes()))
    masks = stacked_masks(contents)
    assert masks.train.tolist() == [[True, False, False], [False, False, True]]
    assert masks.val.tolist() == [[False, True, False], [True, False, False]]
    assert masks.test.tolist() == [[False, False, True], [False, True, False]]


NODES = "node_id\tfeature\tlabel\n2\t0,1\t0\n0\t1,0\t2\n1\t1,1\t1\n"
EDGES = "node_id\tnode_id\n0\t2\n0\t2\n1\t1\n"


def test_lines_in_any_order_are_sorted_by_id(small):
    """Features and labels end up at their node's id; edges stay in the order and number of the file."""
    data = geom_gcn.wisconsin(small("wisconsin", NODES, EDGES))
    assert data.features.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert data.labels.tolist() == [2, 1, 0]
    assert (data.src.tolist(), data.dst.tolist()) == ([0, 0, 1], [2, 2, 1])
    assert data.classes == 3
    assert data.masks["public"].train.shape == (10, 3)


def test_actors_lines_are_positions(small):
    """Actor's file lists which keywords a node has, out of 932."""
    data = geom_gcn.actor(small("actor", NODES.replace("0,1", "7,931"), EDGES))
    assert data.features.shape == (3, 932)
    assert data.features[2].nonzero().flatten().tolist() == [7, 931]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("wisconsin", "\n1\t", "\n0\t"),
        ("wisconsin", "1,1", "1,1,1"),
        ("wisconsin", "1,1", "1;1"),
        ("wisconsin", "1,1", "x,1"),
        ("wisconsin", "\t1\n", "\n"),
        ("wisconsin", "\t1\n", "\tone\n"),
        ("actor", "1,1", "1,932"),
    ],
)
def test_lines_that_do_not_fit_are_refused(small, name, old, new):
    """An id twice, rows of other length, other separators, letters, missing columns: DataBroken with the file name."""
    assert old in NODES
    with pytest.raises(DataBroken, match=r"out1_node_feature_label\.txt"):
        getattr(geom_gcn, name)(small(name, NODES.replace(old, new), EDGES))


@pytest.mark.parametrize("edges", ["a\tb\n1\n", "a\tb\n1\tx\n"])
def test_edges_that_do_not_fit_are_refused(small, edges):
    """Half an edge or a letter: DataBroken with the file's name."""
    with pytest.raises(DataBroken, match=r"out1_graph_edges\.txt"):
        geom_gcn.wisconsin(small("wisconsin", NODES, edges))
