"""graphs: ogbg-* from a folder in OGB's layout are what OGB's own loader makes of it."""

import shutil
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from registry import datasets
from zoo import ogb_backend
from zoo.datasets.ogb.graphs import ogbg_mollipo, ogbg_moltox21, ogbg_ppa
from zoo.datasets.splits import public
from zoo.datasets.store import Store
from zoo.datasets.validity import check
from zoo.errors import DataBroken

NAMES = ["ogbg-moltox21", "ogbg-mollipo", "ogbg-ppa", "ogbg-molmuv"]


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


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_ogbs_loader(tiny, theirs, tmp_path, name, unchanged):
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
