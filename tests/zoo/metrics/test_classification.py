"""Average precision and F1 against scikit-learn and OGB's Evaluator; accuracy and ROC-AUC: see the task of nodes."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from ogb.graphproppred import Evaluator
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from zoo.datasets.base import LabelKind
from zoo.metrics.classification import F1, ROCAUC, AveragePrecision

ZERO: Any = 0  # scikit-learn's own type for it is that of its default, a string
KINDS: list[tuple[LabelKind, int]] = [("classes", 2), ("classes", 3), ("binary", 7), ("values", 1)]


@pytest.fixture
def labels() -> torch.Tensor:
    """Five binary labels of 40 graphs: some unknown, one without a positive, one never known."""
    labels = (torch.rand(40, 5, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    labels[5:20, 1] = math.nan
    labels[:, 2] = 0
    labels[:, 4] = math.nan
    return labels


@pytest.mark.parametrize(
    ("metric", "name", "of"), [(AveragePrecision(), "ap", "molpcba"), (ROCAUC(), "rocauc", "moltox21")]
)
def test_binary_labels_are_scored_as_ogb_does(metric, name, of, labels):
    """The mean over labels with both a positive and a negative, ties and unknown ones included."""
    outputs = torch.randn(40, 5, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    evaluator = Evaluator(f"ogbg-{of}")
    evaluator.num_tasks = 5
    wanted = evaluator.eval({"y_true": labels.numpy(), "y_pred": outputs.numpy()})[name]
    assert metric.score(outputs, labels) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "oracle"), [(AveragePrecision(), average_precision_score), (ROCAUC(), roc_auc_score)]
)
def test_of_two_classes_the_margin_ranks(metric, oracle):
    """The difference of the two logits, against scikit-learn."""
    logits, truth = torch.randn(30, 2), torch.arange(30) % 3 // 2
    wanted = oracle(truth, logits[:, 1].double() - logits[:, 0].double())
    assert metric.score(logits, truth) == pytest.approx(wanted, rel=1e-12)


def test_chance_of_average_precision_is_that_of_random_rankings(labels):
    """Over 2,000 random rankings of many graphs the mean is the share of positives."""
    truth = labels[:, :1].repeat(10, 1)
    rng = np.random.default_rng(0)
    drawn = [average_precision_score(truth[:, 0], rng.random(len(truth))) for _ in range(2000)]
    assert AveragePrecision().chance(truth) == pytest.approx(np.mean(drawn), abs=0.02)
    known = [labels[:, k][~labels[:, k].isnan()] for k in (0, 1, 3)]
    assert AveragePrecision().chance(labels) == pytest.approx(np.mean([float(each.mean()) for each in known]))
    assert AveragePrecision().chance(torch.tensor([0, 1, 1, 1])) == 0.75


def test_f1_is_the_macro_mean_of_scikit_learn():
    """Over the classes that occur among labels or predictions; one that never does counts for nothing."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        logits, truth = torch.randn(15, 6, generator=generator), torch.randint(0, 5, (15,), generator=generator)
        wanted = f1_score(truth, logits.argmax(dim=1), average="macro", zero_division=ZERO)
        assert F1().score(logits, truth) == pytest.approx(wanted, rel=1e-12)


def test_chance_of_f1_is_that_of_guessing_at_the_classes_frequencies():
    """With many guesses; guessing otherwise, evenly or the largest class alone, is worse."""
    rng = np.random.default_rng(0)
    shares = np.array([0.6, 0.3, 0.1])
    truth = rng.choice(3, 100_000, p=shares)

    def guessed(q) -> float:
        return float(f1_score(truth, rng.choice(3, 100_000, p=q), average="macro", zero_division=ZERO))

    chance = F1().chance(torch.from_numpy(truth))
    assert chance == pytest.approx(guessed(shares), abs=0.01)
    assert max(guessed([1 / 3] * 3), guessed([1, 0, 0]), guessed([0.8, 0.1, 0.1])) < chance - 0.01


@pytest.mark.parametrize("metric", [AveragePrecision(), F1(), ROCAUC()])
def test_what_cannot_be_told_is_nan(metric):
    """A logit that is not finite, or nothing to score."""
    truth = torch.tensor([0, 1, 1, 0])
    logits = torch.randn(4, 2)
    logits[2, 0] = math.nan
    assert math.isnan(metric.score(logits, truth))
    assert math.isnan(metric.score(torch.zeros(0, 2), truth[:0]))


def test_what_they_are_defined_for():
    """Average precision for two classes or binary labels; F1 for classes."""
    defined = [metric.defined_for(*kind) for metric in (AveragePrecision(), F1()) for kind in KINDS]
    assert defined == [True, False, True, False, True, True, False, False]
