"""Graphs without files: block model, overlapping communities, karate club."""

import math
import time
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from zoo.datasets.base import NodeData
from zoo.datasets.store import Store
from zoo.datasets.synthetic import _class_sizes, _distinct, _pair_below, block_model, karate, overlapping_blocks
from zoo.datasets.validity import check
from zoo.dgl_backend import dgl
from zoo.errors import BuildError


def make(**options) -> NodeData:
    """A block model; the store has nothing in it."""
    return block_model(Store(folders=[], offline=True), **options)


def undirected(data: NodeData) -> set[tuple[int, int]]:
    """Each edge once, smaller end first."""
    return {(min(pair), max(pair)) for pair in zip(data.src.tolist(), data.dst.tolist(), strict=True)}


@pytest.mark.parametrize(("nodes", "degree"), [(2708, 4.0), (101, 3.3), (100, 20.0), (7, 0.01)])
def test_the_edges_are_exactly_as_many(nodes, degree):
    """round(nodes · degree / 2) distinct edges in both directions, no loop, no repetition; the data pass the check."""
    data = make(nodes=nodes, degree=degree, classes=5)
    check(data)
    edges = round(nodes * degree / 2)
    assert len(data.src) == 2 * edges
    assert len(undirected(data)) == edges
    assert not bool((data.src == data.dst).any())
    assert data.masks == {}
    assert (data.nodes, data.classes, data.features.dtype) == (nodes, 5, torch.float32)


@pytest.mark.parametrize("homophily", [0.0, 0.2, 0.8, 1.0])
def test_homophily_is_the_share_of_edges_in_one_class(homophily):
    """The share of edges within classes is binomial around homophily: within five standard deviations for each seed."""
    for seed in range(5):
        data = make(nodes=3000, degree=6.0, homophily=homophily, seed=seed)
        share = float((data.labels[data.src] == data.labels[data.dst]).float().mean())
        assert abs(share - homophily) <= 5 * math.sqrt(homophily * (1 - homophily) / 9000)
        assert data.facts["edge homophily"] == pytest.approx(share)


def test_every_pair_of_one_kind_is_equally_likely():
    """Over 1,000 graphs of 6 nodes, each pair is an edge within a class, and one between classes, equally often."""
    hits = {True: {}, False: {}}
    for seed in range(1000):
        data = make(nodes=6, classes=2, degree=1.0, homophily=0.5, features=2, seed=seed)
        within = [pair for pair in combinations(range(6), 2) if data.labels[pair[0]] == data.labels[pair[1]]]
        assert len(within) == 6
        for a, b in undirected(data):
            kind = bool(data.labels[a] == data.labels[b])
            hits[kind][(a, b)] = hits[kind].get((a, b), 0) + 1
    mean = 1000 * 1.5 / 15  # 3 edges, half of each kind, shared by 15 pairs
    for counts in hits.values():
        assert len(counts) == 15
        assert max(abs(count - mean) for count in counts.values()) < 5 * math.sqrt(mean)


def test_degrees_scatter_as_in_a_random_graph():
    """With homophily at its chance level the degrees have the mean asked for and, within 10 percent, its variance."""
    data = make(nodes=20_000, degree=10.0, homophily=1 / 7)
    degrees = torch.bincount(data.src, minlength=data.nodes).double()
    assert float(degrees.mean()) == 10.0
    assert float(degrees.var()) == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("signal", [0.0, 1.0, 3.5])
def test_class_means_lie_signal_apart(signal):
    """Averages of 4,000 nodes per class lie that far apart, any two of them, within five standard errors."""
    data = make(nodes=12_000, classes=3, features=8, signal=signal, degree=1.0)
    means = [data.features[data.labels == label].double().mean(dim=0) for label in range(3)]
    for one, other in combinations(means, 2):
        # the estimate's square is noncentral χ²: mean signal² + 8v, variance 4 v signal² + 16 v², with v = 2 / 4000
        v = 2 / 4000
        squared = float(((one - other) ** 2).sum())
        assert abs(squared - (signal**2 + 8 * v)) < 5 * math.sqrt(4 * v * signal**2 + 16 * v**2)
    noise = data.features - torch.stack(means).float()[data.labels]
    assert float(noise.var()) == pytest.approx(1.0, rel=0.02)


def test_the_best_linear_classifier_does_what_the_formula_says():
    """With two classes the projection on the difference of means is right with probability Φ(signal / 2)."""
    data = make(nodes=40_000, classes=2, features=4, signal=2.0, degree=1.0)
    means = [data.features[data.labels == label].mean(dim=0) for label in range(2)]
    score = (data.features - (means[0] + means[1]) / 2) @ (means[1] - means[0])
    right = float(((score > 0).long() == data.labels).double().mean())
    expected = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert abs(right - expected) < 5 * math.sqrt(expected * (1 - expected) / 40_000)


def test_a_seed_gives_the_same_graph_again():
    """All tensors are bitwise equal under one seed; another seed changes edges, labels and features."""
    one, again, other = make(seed=5), make(seed=5), make(seed=6)
    for name in ("src", "dst", "features", "labels"):
        assert torch.equal(getattr(one, name), getattr(again, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))


def test_the_global_generators_are_left_alone():
    """Neither torch's nor numpy's global random state moves."""
    torch.manual_seed(0)
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    make(nodes=100)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == str(np.random.get_state())  # noqa: NPY002


@given(classes=st.integers(1, 40), extra=st.integers(0, 5000), imbalance=st.floats(1, 1000, allow_nan=False))
def test_class_sizes_fall_and_add_up(classes, extra, imbalance):
    """Sizes add up to the nodes, none is empty, none exceeds an earlier one; without imbalance they differ by one."""
    sizes = _class_sizes(classes + extra, classes, imbalance)
    assert sizes.sum() == classes + extra
    assert sizes.min() >= 1
    assert (np.diff(sizes) <= 1).all()
    if imbalance == 1:
        assert sizes.max() - sizes.min() <= 1


def test_imbalance_is_the_ratio_of_largest_and_smallest():
    """Ten classes, imbalance 100: the first is 100 times the last, and each is as much larger than the next."""
    data = make(nodes=100_000, classes=10, degree=1.0, imbalance=100.0, features=10)
    sizes = torch.bincount(data.labels).double()
    assert float(sizes[0] / sizes[-1]) == pytest.approx(100, rel=0.02)
    assert (sizes[:-1] / sizes[1:]).tolist() == pytest.approx([100 ** (1 / 9)] * 9, rel=0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nodes": 3, "classes": 4, "features": 4}, "no fewer nodes"),
        ({"classes": 7, "features": 6}, "no fewer nodes"),
        ({"nodes": 10, "classes": 2, "degree": 9.5, "homophily": 1.0}, "in one class"),
        ({"nodes": 10, "classes": 2, "degree": 9.5, "homophily": 0.0}, "in two classes"),
        ({"nodes": 10, "classes": 1, "homophily": 0.0}, "in two classes"),
    ],
)
def test_impossible_wishes_are_refused(options, words):
    """More edges than pairs, more classes than nodes or features: BuildError that says what is possible."""
    with pytest.raises(BuildError, match=words):
        make(**options)


def test_a_complete_graph_can_be_asked_for():
    """With one class and degree nodes − 1, every pair is joined."""
    data = make(nodes=30, classes=1, degree=29.0, homophily=1.0)
    assert undirected(data) == set(combinations(range(30), 2))


def test_a_large_graph_takes_seconds():
    """200,000 nodes and 2 million edges are made in less than 20 seconds of a processor."""
    start = time.process_time()
    data = make(nodes=200_000, degree=20.0)
    assert time.process_time() - start < 20
    assert len(data.src) == 4_000_000
    keys = data.src * data.nodes + data.dst
    assert bool((keys[1:] > keys[:-1]).all())  # sorted and distinct


@given(st.integers(0, 2**60))
def test_pairs_are_counted_one_by_one(number):
    """The pair at a place is the one whose place that is, also where the square root of floats is not exact."""
    (low,), (high,) = _pair_below(np.array([number]))
    low, high = int(low), int(high)
    assert 0 <= low < high
    assert high * (high - 1) // 2 + low == number


@given(population=st.integers(1, 300), share=st.floats(0, 1), seed=st.integers(0, 1000))
def test_distinct_numbers_are_distinct(population, share, seed):
    """As many different numbers as asked for, all below the population, up to all of them."""
    count = round(share * population)
    found = _distinct(np.random.default_rng(seed), population, count)
    assert len(found) == len(set(found.tolist())) == count
    assert all(0 <= number < population for number in found.tolist())


@pytest.mark.parametrize("count", [2, 7])
def test_distinct_numbers_are_uniform(count):
    """Each of ten numbers is drawn equally often over 5,000 draws: within five standard deviations."""
    hits = np.zeros(10)
    for seed in range(5000):
        hits[_distinct(np.random.default_rng(seed), 10, count)] += 1
    chance = count / 10
    assert np.abs(hits - 5000 * chance).max() < 5 * math.sqrt(5000 * chance * (1 - chance))


def communities(**options) -> NodeData:
    return overlapping_blocks(Store(folders=[], offline=True), **options)


@pytest.mark.parametrize(("nodes", "degree", "labels", "share"), [(1000, 8.0, 8, 0.25), (60, 3.3, 3, 0.5)])
def test_counts_are_exact(nodes, degree, labels, share):
    """Distinct edges in both directions, no loop, and members of each community; the data pass the check."""
    data = communities(nodes=nodes, degree=degree, labels=labels, share=share)
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
        data = communities(nodes=2000, homophily=homophily)
        common = (data.labels[data.src] * data.labels[data.dst]).sum(dim=1) > 0
        assert abs(float(common.float().mean()) - share) <= 5 * math.sqrt(share * (1 - share) / 8000)


def test_features_tell_a_label_as_well_as_stated():
    """The mean of the members less that of the others ranks with ROC-AUC Φ(signal/√2)."""
    data = communities(nodes=20000, labels=2, features=4, signal=1.5, degree=1.0)
    x, y = data.features.double(), data.labels
    for label in range(2):
        inside = y[:, label] == 1
        direction = x[inside].mean(dim=0) - x[~inside].mean(dim=0)
        area = roc_auc_score(y[:, label].numpy(), (x @ direction).numpy())
        assert area == pytest.approx(0.5 * (1 + math.erf(1.5 / 2)), abs=0.015)


def test_unknown_labels_are_withheld_and_nothing_else_changes():
    """NaN for about that share, with the same graph, features and other labels."""
    whole, some = communities(), communities(unknown=0.3)
    hidden = some.labels.isnan()
    assert abs(float(hidden.float().mean()) - 0.3) < 5 * math.sqrt(0.21 / 8000)
    assert torch.equal(some.labels[~hidden], whole.labels[~hidden])
    assert torch.equal(some.features, whole.features) and torch.equal(some.src, whole.src)


def test_a_seed_gives_the_graph_again():
    """And another seed another one."""
    one, again, other = communities(), communities(), communities(seed=1)
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
        communities(**options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_equals_dgls_own_karate_club(tmp_path):
    """Edges and classes are those of DGL's data set; the features are the identity; no file is needed."""
    ours = karate(Store(folders=[], cache=tmp_path, offline=True))
    theirs = dgl.data.KarateClubDataset()[0]
    src, dst = theirs.edges()
    assert len(ours.src) == theirs.num_edges() == 156
    assert set(zip(ours.src.tolist(), ours.dst.tolist(), strict=True)) == set(
        zip(src.tolist(), dst.tolist(), strict=True)
    )
    assert torch.equal(ours.labels, theirs.ndata["label"].long())
    assert torch.equal(ours.features, torch.eye(34))
    assert list(tmp_path.iterdir()) == []
