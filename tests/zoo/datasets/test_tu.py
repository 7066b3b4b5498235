"""The TU sets against DGL's loader, PyG's reader and NetworkX, and files that are not what they should be."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from zoo.datasets import tu
from zoo.datasets.prepare import prepare
from zoo.datasets.sources import source_files
from zoo.datasets.store import SourceFile, Store
from zoo.dgl_backend import dgl
from zoo.errors import BuildError, DataBroken, DataMissing

# Counts as published with the collection: graphs, nodes, directed edges, sizes of the classes; columns of features.
PUBLISHED: list[Any] = [
    (tu.mutag, "MUTAG", 188, 3371, 7442, [63, 125], 7),
    (tu.ptc_mr, "PTC_MR", 344, 4915, 10108, [192, 152], 18),
    (tu.proteins, "PROTEINS", 1113, 43471, 162088, [663, 450], 3),
    (tu.enzymes, "ENZYMES", 600, 19580, 74564, [100] * 6, 3),
    (tu.imdb_binary, "IMDB-BINARY", 1000, 19773, 193062, [500, 500], 65),
]
FOLDERS = {name: f"dgl/{name}_{suffix}" for name, suffix in [
    ("MUTAG", "47395044"), ("PTC_MR", "70f9e0b0"), ("PROTEINS", "8123a282"), ("ENZYMES", "67bfdeff"),
    ("IMDB-BINARY", "3673667b"),
]}  # fmt: skip


@pytest.mark.parametrize(("load", "name", "graphs", "nodes", "edges", "classes", "width"), PUBLISHED)
def test_counts_are_the_published_ones(store, load, name, graphs, nodes, edges, classes, width):
    """Graphs, nodes, edges both ways, classes and their sizes; every edge has its reverse, no loops."""
    data = load(store)
    assert (len(data.sizes), data.nodes, len(data.src), data.classes) == (graphs, nodes, edges, len(classes))
    assert data.labels.bincount().tolist() == classes
    assert data.features.shape == (nodes, width) and torch.equal(data.features.sum(1), torch.ones(nodes))
    pairs = set(zip(data.src.tolist(), data.dst.tolist(), strict=True))
    assert len(pairs) == edges and all((b, a) in pairs and a != b for a, b in pairs)
    prepare(data, self_loops="keep", direction="keep", features="none")


@pytest.mark.parametrize(("load", "name"), [(row[0], row[1]) for row in PUBLISHED if row[1] != "IMDB-BINARY"])
def test_equals_dgls_own_loader(store, scratch, load, name):
    """Graph by graph, the edges and the order of the labels are those of `dgl.data.LegacyTUDataset`."""
    ours = load(store)
    theirs: Any = dgl.data.LegacyTUDataset(name, raw_dir=str(scratch(FOLDERS[name]) / "dgl"))
    starts = (ours.sizes.cumsum(0) - ours.sizes).tolist()
    assert [graph.num_nodes() for graph in theirs.graph_lists] == ours.sizes.tolist()
    ends = [
        tuple(end + start for end in graph.edges()) for graph, start in zip(theirs.graph_lists, starts, strict=True)
    ]
    src, dst = (torch.cat(side) for side in zip(*ends, strict=True))
    assert set(zip(src.tolist(), dst.tolist(), strict=True)) == set(
        zip(ours.src.tolist(), ours.dst.tolist(), strict=True)
    )
    # Theirs are of 3 classes where the labels are −1 and 1; the order is the same.
    labels = torch.as_tensor(np.asarray(theirs.graph_labels)).flatten().long()
    assert torch.equal(labels.unique(return_inverse=True)[1], ours.labels)


@pytest.mark.parametrize(
    ("load", "name", "options"),
    [
        (tu.mutag, "MUTAG", {"edge_labels": True}),
        (tu.ptc_mr, "PTC_MR", {"edge_labels": True}),
        (tu.proteins, "PROTEINS", {"attributes": True}),
        (tu.enzymes, "ENZYMES", {"attributes": True}),
    ],
)
def test_features_equal_pygs_reader(store, real, load, name, options):
    """Labels of nodes and edges as one-hot columns, and attributes, are those that PyG reads from the same files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric.io import read_tu_data
    theirs: Any
    theirs, _, sizes = read_tu_data(str(real / FOLDERS[name] / name), name)
    ours = load(store, **options)
    attributes = sizes["num_node_attributes"]  # theirs stand first
    assert torch.equal(ours.features, torch.cat([theirs.x[:, attributes:], theirs.x[:, :attributes]], dim=1))
    assert torch.equal(ours.labels, theirs.y)
    if "edge_labels" in options:
        order = (ours.src * ours.nodes + ours.dst).argsort()  # as PyG sorts them
        assert ours.edge_features is not None and ours.edge_features.shape == (len(ours.src), 1)
        assert torch.equal(ours.edge_features[order, 0], theirs.edge_attr.argmax(1))


def test_degrees_are_networkxs(store):
    """IMDB-BINARY's one-hot columns are the distinct degrees, in ascending order, counted by NetworkX."""
    data = tu.imdb_binary(store)
    graph: Any = nx.Graph()
    graph.add_nodes_from(range(data.nodes))
    graph.add_edges_from(zip(data.src.tolist(), data.dst.tolist(), strict=True))
    degrees = torch.tensor([graph.degree[node] for node in range(data.nodes)])
    assert torch.equal(degrees.unique()[data.features.argmax(1)], degrees)
    assert data.facts["repeated edges left out"] == 193062
    assert torch.equal(tu.imdb_binary(store, degree=False).features, torch.ones(data.nodes, 1))


def test_missing_files_are_named(tmp_path):
    """Without the files, the error names each, with the archive that has it."""
    with pytest.raises(DataMissing, match=r"dgl/NCI1_7f422cbb/NCI1/NCI1_A\.txt.*NCI1\.zip#NCI1//NCI1_A\.txt"):
        tu.nci1(Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True))


SMALL = {
    "A": "1, 2\n2, 1\n3, 4\n4, 3\n",
    "graph_indicator": "1\n1\n2\n2\n2\n",
    "graph_labels": "1\n-1\n",
    "node_labels": "7\n3\n3\n7\n9\n",
    "edge_labels": "5\n5\n2\n2\n",
}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """Lays out two made-up graphs under MUTAG's name, some files replaced, and returns a store of them."""

    def make(**replaced: str) -> Store:
        monkeypatch.setattr(tu, "source_files", lambda name, *_: [SourceFile(file.path) for file in source_files(name)])
        for kind, text in {**SMALL, **replaced}.items():
            target = tmp_path / FOLDERS["MUTAG"] / "MUTAG" / f"MUTAG_{kind}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return Store(folders=[tmp_path], cache=tmp_path / "cache", offline=True)

    return make


def test_made_up_files_are_read(small):
    """Labels with gaps are columns without gaps; a node without edges counts; classes are numbered in their order."""
    data = tu.mutag(small(), edge_labels=True)
    assert data.sizes.tolist() == [2, 3] and data.labels.tolist() == [1, 0] and data.classes == 2
    assert data.features.argmax(1).tolist() == [1, 0, 0, 1, 2] and data.features.shape == (5, 3)
    assert (data.src.tolist(), data.dst.tolist()) == ([0, 1, 2, 3], [1, 0, 3, 2])
    assert data.edge_features is not None and data.edge_features.tolist() == [[1], [1], [0], [0]]
    with pytest.raises(BuildError, match=r"edge_features=drop"):
        prepare(data, self_loops="keep", direction="both", features="none")


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        ("A", "1, 2\n2, 1\n3, 6\n", "names nodes 1 … 6 of 5"),
        ("A", "0, 2\n", "names nodes 0 … 2 of 5"),
        ("A", "1, 3\n3, 1\n", "joins two graphs"),
        ("A", "1, 2\n2\n", "cannot be read"),
        ("A", "1\n2\n", "1 numbers, not 2"),
        ("A", "1, 2.5\n", "cannot be read"),
        ("A", "1, two\n", "cannot be read"),
        ("A", "", "cannot be read"),
        ("graph_indicator", "1\n1\n3\n3\n3\n", "not 1, 1, …"),
        ("graph_indicator", "1\n2\n1\n2\n2\n", "not 1, 1, …"),
        ("graph_indicator", "2\n2\n3\n3\n3\n", "not 1, 1, …"),
        ("graph_labels", "1\n", "1 rows for 2 graphs"),
        ("node_labels", "7\n3\n3\n7\n", "4 rows for 5 nodes"),
        ("edge_labels", "5\n5\n2\n", "3 rows for 4 edges"),
        ("node_labels", "7\n3\n3\n7\n99999999999999999999\n", "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(small, kind, text, wrong):
    """A truncated file, or files that contradict each other, give one error that names the file."""
    with pytest.raises(
        DataBroken, match=rf"MUTAG_{kind}\.txt — cannot be read: .*{wrong if 'cannot' not in wrong else ''}"
    ):
        tu.mutag(small(**{kind: text}), edge_labels=True)


def test_a_changed_file_is_refused(store, scratch, tmp_path):
    """One digit less in a real file, and what it holds tells."""
    folder = scratch(FOLDERS["MUTAG"])
    file = folder / FOLDERS["MUTAG"] / "MUTAG" / "MUTAG_A.txt"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(DataBroken, match=r"MUTAG_A\.txt — wrong content"):
        tu.mutag(Store(folders=[folder], cache=tmp_path / "cache", offline=True))
