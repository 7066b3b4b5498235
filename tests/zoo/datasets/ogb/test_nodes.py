"""nodes: ogbn-* from a folder in OGB's layout are what OGB's own loader makes of it."""

import shutil
import warnings

import numpy as np
import pytest
import torch

from registry import datasets
from zoo.datasets.ogb.nodes import ogbn_arxiv, ogbn_products, ogbn_proteins
from zoo.datasets.splits import public
from zoo.datasets.validity import check
from zoo.errors import DataBroken

NAMES = ["ogbn-products", "ogbn-proteins"]


def loaded(theirs, made, scratch):
    """What OGB's loader makes of a copy of the folder: graph, labels, split."""
    shutil.copytree(made.folder, scratch / made.folder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = theirs.nodes(made.name, root=str(scratch))
        graph, labels = data[0]
        return graph, labels, data.get_idx_split()


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_ogbs_loader(tiny, theirs, tmp_path, name, unchanged):
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
    monkeypatch.setattr("zoo.datasets.ogb.folder.known_digests", lambda name: {})
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
