"""Ranking metrics against OGB's Evaluator, scikit-learn, and counting pair by pair."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from registry import metrics
from zoo.metrics.ranking import AUC, MRR, Hits
from zoo.ogb_backend import evaluator

# Few different values, so that ties are common.
few = st.integers(-3, 3).map(float)
shared = st.tuples(st.lists(few, min_size=1, max_size=20), st.lists(few, min_size=1, max_size=40))


@st.composite
def own(draw: st.DrawFn) -> tuple[list[float], list[list[float]]]:
    """Scores of links, and for each as many others."""
    links, others = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    row = st.lists(few, min_size=others, max_size=others)
    return draw(st.lists(few, min_size=links, max_size=links)), draw(st.lists(row, min_size=links, max_size=links))


def hits(positive: list[float], others: list[list[float]], k: int) -> float:
    """By the words: above the k-th best of its others, in sorted order."""
    found = [len(row) < k or x > sorted(row, reverse=True)[k - 1] for x, row in zip(positive, others, strict=True)]
    return sum(found) / len(found)


def mrr(positive: list[float], others: list[list[float]]) -> float:
    """The place in the order, in the middle of those that tie."""
    ranks = [
        1 + sum(y > x for y in row) + sum(y == x for y in row) / 2 for x, row in zip(positive, others, strict=True)
    ]
    return sum(1 / rank for rank in ranks) / len(ranks)


@given(shared, st.integers(1, 50))
def test_hits_among_shared_others_is_a_count(scores, k):
    """Against sorting in Python, with ties, and with fewer others than k."""
    positive, negative = scores
    found = Hits(k=k).score(torch.tensor(positive), torch.tensor(negative))
    assert found == pytest.approx(hits(positive, [negative] * len(positive), k), abs=1e-12)


@given(own(), st.integers(1, 20))
def test_each_link_is_ranked_among_its_own_others(scores, k):
    """All three metrics, against a loop over links."""
    positive, others = scores
    x, y = torch.tensor(positive), torch.tensor(others)
    assert Hits(k=k).score(x, y) == pytest.approx(hits(positive, others, k), abs=1e-12)
    assert MRR().score(x, y) == pytest.approx(mrr(positive, others), abs=1e-12)
    areas = [roc_auc_score([1] + [0] * len(row), [one, *row]) for one, row in zip(positive, others, strict=True)]
    assert AUC().score(x, y) == pytest.approx(np.mean(areas), abs=1e-12)


@given(shared)
def test_auc_and_mrr_among_shared_others(scores):
    """AUC is scikit-learn's; MRR is the same as with the shared others written out for each link."""
    positive, negative = scores
    x, y = torch.tensor(positive), torch.tensor(negative)
    truth = [1] * len(positive) + [0] * len(negative)
    assert AUC().score(x, y) == pytest.approx(roc_auc_score(truth, positive + negative), abs=1e-12)
    assert MRR().score(x, y) == pytest.approx(mrr(positive, [negative] * len(positive)), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "data"), [("hits@20", "ogbl-ddi"), ("hits@50", "ogbl-collab"), ("hits@100", "ogbl-ppa")]
)
def test_hits_is_that_of_ogb(name, data):
    """The official Evaluator gives the same number, on scores rounded so that some tie."""
    _, _, official = evaluator(data)
    drawn = torch.Generator().manual_seed(0)
    positive, negative = ((torch.randn(size, generator=drawn) * 20).round() for size in (500, 3000))
    assert 0 < official(positive + 40, negative) < 1
    assert metrics.get(name)().score(positive + 40, negative) == pytest.approx(official(positive + 40, negative))
    assert metrics.get(name)().score(positive, negative[:10]) == official(positive, negative[:10]) == 1


def test_mrr_is_that_of_ogb():
    """The official Evaluator of ogbl-citation2, ties included."""
    _, _, official = evaluator("ogbl-citation2")
    drawn = torch.Generator().manual_seed(1)
    positive, negative = (torch.randint(30, size, generator=drawn).float() for size in ((200,), (200, 100)))
    assert MRR().score(positive, negative) == pytest.approx(official(positive, negative), abs=1e-6)


@given(st.integers(1, 6), st.integers(1, 8))
def test_chance_is_the_mean_over_all_places(k, others):
    """A link at each place among its others in turn, without ties: the mean score is what chance says."""
    positive = torch.arange(others + 1) - 0.5
    negative = torch.arange(others).float().expand(others + 1, others)
    for metric in (Hits(k=k), MRR(), AUC()):
        assert metric.chance(others + 1, others) == pytest.approx(metric.score(positive, negative), abs=1e-12)


@pytest.mark.parametrize("metric", [Hits(k=2), MRR(), AUC()], ids=lambda metric: metric.name)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_give_nan(metric, bad):
    """Wherever they are; and so does a part without links, or without others."""
    good, some = torch.tensor([1.0, 2.0]), torch.tensor([1.0, bad])
    assert math.isnan(metric.score(some, good)) and math.isnan(metric.score(good, some))
    assert math.isnan(metric.score(good[:0], good)) and math.isnan(metric.score(good, good[:0]))


def test_names_say_the_k():
    """Presets are called as OGB calls them, and `hits` takes any k."""
    names = ["hits@10", "hits@20", "hits@50", "hits@100"]
    assert [metrics.get(name)().name for name in names] == names
    assert metrics.get("hits")(k=3).name == "hits@3"
    assert all(metrics.get(name)().higher_is_better for name in [*names, "mrr", "auc"])
