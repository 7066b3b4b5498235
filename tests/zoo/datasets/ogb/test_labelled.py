"""OGB's nodes and graphs with labels."""

import shutil
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from registry import datasets
from zoo import ogb_backend
from zoo.datasets.ogb.labelled import ogbg_mollipo, ogbg_moltox21, ogbg_ppa, ogbn_arxiv, ogbn_products, ogbn_proteins
from zoo.datasets.splits import public
from zoo.datasets.store import Store
from zoo.datasets.validity import check
from zoo.errors import DataBroken

NODES = ["ogbn-products", "ogbn-proteins"]


def loaded(theirs, made, scratch):
    """What OGB's loader makes of a copy of the folder: graph, labels, split."""
    shutil.copytree(made.folder, scratch / made.folder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = theirs.nodes(made.name, root=str(scratch))
        graph, labels = data[0]
        return graph, labels, data.get_idx_split()


@pytest.mark.parametrize("name", NODES)
def test_nodes_equal_those_of_ogbs_loader(tiny, theirs, tmp_path, name, unchanged):
    """Edges in order, features, labels and split are OGB's, in the first and the cached load; nothing is written."""
    made = tiny.nodes(name)
    unchanged()
    graph, labels, split = loaded(theirs, made, tmp_path / "scratch")
    for _ in range(2):
        data = datasets.get(name)(tiny.store)
        assert torch.equal(torch.stack([data.src, data.dst]), torch.tensor(graph["edge_index"]))
        if graph["node_feat"] is not None:
            assert torch.equal(data.features, torch.tensor(graph["node_feat"]))  # a copy: pandas' own may be read-only
        expected = torch.tensor(labels)
        assert torch.equal(data.labels, expected.float() if data.problem == "binary" else expected[:, 0])
        part = public(data, 0)
        for mine, key in ((part.train, "train"), (part.val, "valid"), (part.test, "test")):
            assert torch.equal(mine, torch.tensor(split[key]))
        check(data)
    assert len(list((tiny.store.cache / "parsed").glob("[!.]*"))) == 1


def test_arxiv_is_directed_and_keeps_its_digests(tiny):
    """ogbn-arxiv's files are known by their digests, so that no other file passes for one of them."""
    tiny.nodes("ogbn-arxiv")
    with pytest.raises(DataBroken, match="8 of 8 files are broken") as error:
        ogbn_arxiv(tiny.store)
    assert "60a844c7aff2f129335d34da2f6b9271bd1cac03aff8c70c229e6f0d13624718" in str(error.value)


def test_arxiv_of_other_digests_loads_directed(tiny, monkeypatch):
    """ogbn-arxiv lists each citation once, in its own direction, with 40 classes."""
    monkeypatch.setattr("zoo.datasets.ogb.ogb_folder.known_digests", lambda name: {})
    made = tiny.nodes("ogbn-arxiv")
    data = ogbn_arxiv(tiny.store)
    assert np.array_equal(torch.stack([data.src, data.dst], 1).numpy(), made.arrays["raw/edge"])
    assert (data.classes, data.metric, data.problem) == (40, "accuracy", "classes")


def test_proteins_have_the_means_of_their_edges(tiny):
    """A protein's features are the mean over its in-edges, counted by hand; the edges' own are kept on demand."""
    made = tiny.nodes("ogbn-proteins")
    data = ogbn_proteins(tiny.store, edge_features=True)
    values = np.repeat(made.arrays["raw/edge-feat"], 2, axis=0)
    assert data.edge_features is not None
    assert np.allclose(data.edge_features, values)
    for node in range(9):
        own = values[(data.dst == node).numpy()]
        assert np.allclose(data.features[node], own.mean(axis=0) if len(own) else 0, atol=1e-6)
    assert ogbn_proteins(tiny.store).edge_features is None
    assert (data.classes, data.problem, data.labels.dtype) == (112, "binary", torch.float32)


def test_official_is_ogbs_evaluator(tiny):
    """The official score of products is accuracy by OGB's code, and the facts say where the data are from."""
    made = tiny.nodes("ogbn-products")
    data = ogbn_products(tiny.store)
    assert data.official is not None
    outputs = torch.eye(47)[data.labels]
    outputs[0] = outputs[0].roll(1)
    assert data.official.score(outputs, data.labels) == pytest.approx(8 / 9)
    assert data.facts["source"].endswith("products.zip")
    assert set(data.facts["files"]) == {f"{path}.csv.gz" for path in made.arrays}


def test_unknown_labels_are_minus_one(tiny):
    """An empty cell among classes is a node without a label."""
    made = tiny.nodes("ogbn-products")
    labels = made.arrays["raw/node-label"].astype(float)
    split = np.concatenate([rows for path, rows in made.arrays.items() if "split" in path])
    (unlabelled,) = np.setdiff1d(np.arange(9), split)
    labels[unlabelled] = float("nan")
    made.csv("raw/node-label", labels)
    assert ogbn_products(tiny.store).labels[unlabelled] == -1


@pytest.mark.parametrize(("labels", "wrong"), [(47, "not in 0 … 46"), (0.5, "not in 0 … 46"), (-2, "not in 0 … 46")])
def test_labels_that_are_no_classes(tiny, labels, wrong):
    """A label beyond the classes, or between them, is refused with its file's path."""
    made = tiny.nodes("ogbn-products")
    rows = made.arrays["raw/node-label"].astype(type(labels))
    rows[3] = labels
    made.csv("raw/node-label", rows)
    with pytest.raises(DataBroken, match=wrong) as error:
        ogbn_products(tiny.store)
    assert str(made.folder / "raw" / "node-label.csv.gz") in str(error.value)


GRAPHS = ["ogbg-moltox21", "ogbg-mollipo", "ogbg-ppa", "ogbg-molmuv"]


def per_graph(data):
    """Source, destination, node and edge features of each graph, numbered within it."""
    starts = [0, *data.sizes.cumsum(0).tolist()]
    for first, last in pairwise(starts):
        own = (data.src >= first) & (data.src < last)
        yield torch.stack([data.src[own], data.dst[own]]) - first, data.features[first:last], data.edge_features[own]


def assert_equal(data, graphs, labels, split):
    """The data set is OGB's list of graphs, labels and split."""
    assert len(graphs) == len(data.sizes)
    for (edges, nodes, bonds), graph in zip(per_graph(data), graphs, strict=True):
        assert np.array_equal(edges, graph["edge_index"])
        assert np.array_equal(bonds, graph["edge_feat"])
        if graph["node_feat"] is not None:
            assert np.array_equal(nodes, graph["node_feat"])
    expected = labels[:, 0] if data.problem == "classes" else labels.astype(np.float32)
    assert np.array_equal(data.labels.numpy(), expected, equal_nan=data.problem != "classes")
    part = public(data, 0)
    for mine, key in ((part.train, "train"), (part.val, "valid"), (part.test, "test")):
        assert np.array_equal(mine.numpy(), np.sort(np.asarray(split[key])))


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_equal_those_of_ogbs_loader(tiny, theirs, tmp_path, name, unchanged):
    """Each graph, in both loads, is OGB's, edge for edge, unknown labels too; the data folder is not written to."""
    made = tiny.graphs(name)
    unchanged()
    shutil.copytree(made.folder, tmp_path / "scratch" / made.folder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = theirs.graphs(name, root=str(tmp_path / "scratch"))
    for _ in range(2):
        data = datasets.get(name)(tiny.store)
        assert_equal(data, oracle.graphs, oracle.labels, oracle.get_idx_split())
        check(data)
    assert len(list((tiny.store.cache / "parsed").glob("[!.]*"))) == 1


def test_molecules_are_made_for_the_atom_embedding(tiny):
    """Atoms are categories of OGB's encoder, which takes them; the labels are binary with NaN."""
    tiny.graphs("ogbg-moltox21")
    data = ogbg_moltox21(tiny.store)
    assert (data.categories, data.embedding) == (ogb_backend.atom_categories(), "atom")
    assert ogb_backend.atom_encoder(4)(data.features).shape == (21, 4)
    assert data.edge_features is not None
    assert ogb_backend.bond_encoder(4)(data.edge_features).shape == (42, 4)
    assert (data.problem, data.classes, data.metric) == ("binary", 12, "rocauc")
    assert data.labels.isnan().any()


def test_regression_and_its_official_score(tiny):
    """Mollipo's labels are numbers, scored by OGB's root mean square error, of which less is better."""
    tiny.graphs("ogbg-mollipo")
    data = ogbg_mollipo(tiny.store)
    assert (data.problem, data.classes, data.metric) == ("values", 1, "rmse")
    assert data.official is not None
    assert not data.official.higher_is_better
    assert data.official.score(data.labels + 2, data.labels) == pytest.approx(2)


def test_ppa_has_nodes_of_one_category(tiny):
    """ogbg-ppa has no node features: one category for all, floats on edges, 37 classes."""
    tiny.graphs("ogbg-ppa")
    data = ogbg_ppa(tiny.store)
    assert data.categories == (1,)
    assert data.features.shape == (21, 1)
    assert not data.features.any()
    assert data.edge_features is not None
    assert data.edge_features.dtype == torch.float32
    assert (data.problem, data.classes) == ("classes", 37)


@pytest.mark.parametrize(
    ("file", "value", "wrong"),
    [("node-feat", 119, "beyond"), ("edge-feat", -1, "columns of categories"), ("graph-label", 2.0, "neither 0 nor 1")],
)
def test_values_that_no_molecule_has(tiny, file, value, wrong):
    """A category beyond OGB's, or a label that is not binary, is one clear error, and nothing is cached of it."""
    made = tiny.graphs("ogbg-moltox21")
    rows = made.arrays[f"raw/{file}"].copy()
    rows[0, 0] = value
    made.csv(f"raw/{file}", rows)
    with pytest.raises(DataBroken, match=wrong) as error:
        ogbg_moltox21(tiny.store)
    assert f"{file}.csv.gz" in str(error.value)


# The real files


@pytest.fixture(scope="module")
def real_store(real, tmp_path_factory) -> Store:
    """A store of the real files, with one cache for all tests here."""
    return Store(folders=[real], cache=tmp_path_factory.mktemp("ogb-cache"), offline=True)


def test_molesol_equals_ogbs_dgl_loader(real_store, theirs, scratch):
    """All 1,128 molecules: edges, atoms, bonds, labels and split are those of OGB's own DGL loader."""
    root = scratch("ogb/ogbg_molesol") / "ogb"
    (root / "ogbg_molesol" / "processed").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = theirs.dgl("ogbg-molesol", root=str(root))
    data = datasets.get("ogbg-molesol")(real_store)
    graphs = [
        {
            "edge_index": torch.stack(graph.edges(order="eid")).numpy(),
            "node_feat": graph.ndata["feat"].numpy(),
            "edge_feat": graph.edata["feat"].numpy(),
        }
        for graph in oracle.graphs
    ]
    assert_equal(data, graphs, oracle.labels.numpy(), oracle.get_idx_split())
    assert (len(graphs), data.nodes, len(data.src)) == (1128, 14991, 30856)


def test_molhiv_has_its_published_counts(real_store):
    """41,127 molecules, 1,443 of them positive, and the published sizes of all parts, first and cached load."""
    for _ in range(2):
        data = datasets.get("ogbg-molhiv")(real_store)
        assert (len(data.sizes), data.nodes, len(data.src)) == (41127, 1049163, 2259376)
        assert int(data.labels.sum()) == 1443
        masks = data.masks["public"]
        assert [int(mask.sum()) for mask in (masks.train, masks.val, masks.test)] == [32901, 4113, 4113]
        assert data.facts["digests"] == "known beforehand"


@pytest.mark.parametrize(
    ("name", "graphs", "edges"), [("ogbg-molbace", 1513, 111536), ("ogbg-molfreesolv", 642, 10770)]
)
def test_other_molecules_have_their_published_counts(real_store, name, graphs, edges):
    """Molbace and molfreesolv, from real files with known digests."""
    data = datasets.get(name)(real_store)
    assert (len(data.sizes), len(data.src)) == (graphs, edges)
    check(data)
