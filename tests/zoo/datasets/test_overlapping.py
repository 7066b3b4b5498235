"""Overlapping communities: exact counts, and shares within what chance allows."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from zoo.datasets.base import NodeData
from zoo.datasets.overlapping import overlapping_blocks
from zoo.datasets.store import Store
from zoo.datasets.validity import check
from zoo.errors import BuildError


def make(**options) -> NodeData:
    return overlapping_blocks(Store(folders=[], offline=True), **options)


@pytest.mark.parametrize(("nodes", "degree", "labels", "share"), [(1000, 8.0, 8, 0.25), (60, 3.3, 3, 0.5)])
def test_counts_are_exact(nodes, degree, labels, share):
    """Distinct edges in both directions, no loop, and members of each community; the data pass the check."""
    data = make(nodes=nodes, degree=degree, labels=labels, share=share)
    check(data)
    pairs = set(zip(data.src.tolist(), data.dst.tolist(), strict=True))
    assert len(pairs) == len(data.src) == 2 * round(nodes * degree / 2)
    assert {(b, a) for a, b in pairs} == pairs and all(a != b for a, b in pairs)
    assert data.labels.sum(dim=0).tolist() == [round(share * nodes)] * labels
    assert (data.problem, data.metric, data.classes) == ("binary", "rocauc", labels)
    in_several = (data.labels.sum(dim=1) > 1).float().mean()
    expected = 1 - (1 - share) ** labels - labels * share * (1 - share) ** (labels - 1)
    assert abs(in_several - expected) < 5 * math.sqrt(expected * (1 - expected) / nodes)


def test_edges_join_members():
    """With homophily 1 every edge has a community in common; with 0 as many as pairs drawn at random have."""
    for homophily, share in ((1.0, 1.0), (0.0, 1 - (1 - 1 / 16) ** 8)):
        data = make(nodes=2000, homophily=homophily)
        common = (data.labels[data.src] * data.labels[data.dst]).sum(dim=1) > 0
        assert abs(float(common.float().mean()) - share) <= 5 * math.sqrt(share * (1 - share) / 8000)


def test_features_tell_a_label_as_well_as_stated():
    """The mean of the members less that of the others ranks with ROC-AUC Φ(signal/√2)."""
    data = make(nodes=20000, labels=2, features=4, signal=1.5, degree=1.0)
    x, y = data.features.double(), data.labels
    for label in range(2):
        inside = y[:, label] == 1
        direction = x[inside].mean(dim=0) - x[~inside].mean(dim=0)
        area = roc_auc_score(y[:, label].numpy(), (x @ direction).numpy())
        assert area == pytest.approx(0.5 * (1 + math.erf(1.5 / 2)), abs=0.015)


def test_unknown_labels_are_withheld_and_nothing_else_changes():
    """NaN for about that share, with the same graph, features and other labels."""
    whole, some = make(), make(unknown=0.3)
    hidden = some.labels.isnan()
    assert abs(float(hidden.float().mean()) - 0.3) < 5 * math.sqrt(0.21 / 8000)
    assert torch.equal(some.labels[~hidden], whole.labels[~hidden])
    assert torch.equal(some.features, whole.features) and torch.equal(some.src, whole.src)


def test_a_seed_gives_the_graph_again():
    """And another seed another one."""
    one, again, other = make(), make(), make(seed=1)
    assert torch.equal(one.features, again.features) and torch.equal(one.dst, again.dst)
    assert not torch.equal(one.features, other.features)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": 4, "share": 0.25}, "expected 2 or more members"),
        ({"share": 0.9999}, "other nodes besides"),
        ({"features": 3}, "no fewer features than labels"),
        ({"nodes": 40, "homophily": 1.0, "labels": 1, "degree": 9.0}, "expected a lower degree"),
    ],
)
def test_what_cannot_be_made_is_a_mistake(options, said):
    """With what was expected."""
    with pytest.raises(BuildError, match=said):
        make(**options)
