"""links: ogbl-* from a folder in OGB's layout, with the official split and its pairs that are no links."""

import shutil
import warnings

import numpy as np
import pytest
import torch

from registry import datasets
from zoo.datasets.link_splits import shipped_links
from zoo.datasets.ogb.link_sets import ogbl_citation2, ogbl_collab, ogbl_ddi, ogbl_ppa
from zoo.datasets.validity import check
from zoo.errors import DataBroken

NAMES = ["ogbl-collab", "ogbl-ppa", "ogbl-citation2"]


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_ogbs_loader(tiny, theirs, tmp_path, name, unchanged):
    """The training graph is OGB's, edge for edge, in both loads; the data folder is not written to."""
    made = tiny.links(name)
    unchanged()
    shutil.copytree(made.folder, tmp_path / "scratch" / made.folder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = theirs.links(name, root=str(tmp_path / "scratch"))[0]
    for _ in range(2):
        data = datasets.get(name)(tiny.store)
        assert np.array_equal(torch.stack([data.src, data.dst]), graph["edge_index"])
        assert np.array_equal(data.features, graph["node_feat"])
        assert torch.equal(data.links.message, torch.stack([data.src, data.dst]))
        check(data)
    assert len(list((tiny.store.cache / "parsed").glob("[!.]*"))) == 1


@pytest.mark.parametrize("name", ["ogbl-collab", "ogbl-ppa"])
def test_split_with_shared_negatives(tiny, name):
    """Links and pairs that are none are the arrays of the split files, as columns; the graph is undirected."""
    made = tiny.links(name)
    links = datasets.get(name)(tiny.store).links
    for mine, entry in (
        (links.train, "train.edge"),
        (links.val, "valid.edge"),
        (links.test, "test.edge"),
        (links.val_negative, "valid.edge_neg"),
        (links.test_negative, "test.edge_neg"),
    ):
        assert np.array_equal(mine.T, made.arrays[entry])
        assert mine.dtype == torch.int64
    assert not links.directed


def test_split_with_negatives_of_each_link(tiny):
    """citation2: each link has its own others, from the same source; the graph is directed."""
    made = tiny.links("ogbl-citation2")
    data = ogbl_citation2(tiny.store)
    negative = data.links.test_negative
    assert negative.shape == (2, 4, 5)
    for link in range(4):
        assert (negative[0, link] == made.arrays["test.source_node"][link]).all()
        assert np.array_equal(negative[1, link], made.arrays["test.target_node_neg"][link])
    assert data.links.directed
    assert data.metric == "mrr"
    assert data.official is not None
    assert data.official.score(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0], [3.0, 3.0]])) == pytest.approx(
        5 / 12
    )


def test_collab_keeps_weights_on_demand(tiny):
    """The number of common papers stands on both directions of an edge, if asked for; repeated pairs are announced."""
    made = tiny.links("ogbl-collab")
    data = ogbl_collab(tiny.store, edge_features=True)
    assert data.edge_features is not None
    assert np.array_equal(data.edge_features[::2], made.arrays["raw/edge_weight"])
    assert torch.equal(data.edge_features[::2], data.edge_features[1::2])
    assert ogbl_collab(tiny.store).edge_features is None
    assert "repeats" in shipped_links(data).facts


def test_integer_features_become_floats(tiny):
    """ogbl-ppa's species, ones and zeros in the file, are features, not categories."""
    tiny.links("ogbl-ppa")
    data = ogbl_ppa(tiny.store)
    assert data.features.dtype == torch.float32
    assert data.categories is None


@pytest.mark.parametrize(
    ("entries", "wrong"),
    [
        ({"edge": np.zeros((3, 2), int)}, "no links of OGB's form"),
        ({"edge": np.zeros((3, 3), int), "edge_neg": np.zeros((3, 2), int)}, "no links of OGB's form"),
        ({"edge": np.full((3, 2), 8), "edge_neg": np.zeros((3, 2), int)}, "names node 8, but there are 8"),
        ({"edge": np.zeros((3, 2)), "edge_neg": np.zeros((3, 2), int)}, "no integers 'edge'"),
        ({"weight": np.zeros(3)}, "no links, only weight"),
    ],
)
def test_split_files_of_another_form(tiny, entries, wrong):
    """A split file that lacks its pairs, or names nodes that are not there, is refused with its path."""
    made = tiny.links("ogbl-collab")
    made.links("valid", **entries)
    with pytest.raises(DataBroken, match=wrong) as error:
        ogbl_collab(tiny.store)
    assert "valid.pt" in str(error.value)


def test_real_ddi(store):
    """The published counts; no link of val or test is in the training graph, in either direction."""
    data = ogbl_ddi(store)
    assert (data.nodes, len(data.src)) == (4267, 2135822)
    links = data.links
    sizes = [part.shape[1] for part in (links.train, links.val, links.test, links.val_negative, links.test_negative)]
    assert sizes == [1067911, 133489, 133489, 101882, 95599]
    there = torch.zeros(4267, 4267, dtype=torch.bool)
    there[data.src, data.dst] = True
    assert torch.equal(there, there.T)
    assert not there[links.val[0], links.val[1]].any()
    assert not there[links.test[0], links.test[1]].any()
    assert there[links.train[0], links.train[1]].all()
    assert torch.equal(data.features[:, 0], torch.arange(4267))
    assert data.categories == (4267,)
    check(data)
    assert data.official is not None
    assert (data.official.metric, data.official.by) == ("hits@20", "OGB's Evaluator")
