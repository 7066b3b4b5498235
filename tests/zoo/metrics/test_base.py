"""What all metrics promise, whichever they are."""

import math
from functools import partial
from typing import Any, get_args

import pytest
import torch

from registry import metrics
from zoo.datasets.base import LabelKind
from zoo.metrics.base import LabelMetric, LinkMetric

MADE: dict[str, Any] = {name: metrics.get(name)() for name in metrics.names()}
OF_LABELS = {name: made for name, made in MADE.items() if isinstance(made, LabelMetric)}
OF_LINKS = {name: made for name, made in MADE.items() if isinstance(made, LinkMetric)}
DRAW = torch.Generator().manual_seed(0)


def outputs_and_labels(kind: LabelKind, classes: int, rows: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs that know nothing of the labels."""
    outputs = torch.randn(rows, classes, generator=DRAW)
    if kind == "classes":
        return outputs, torch.randint(classes, (rows,), generator=DRAW)
    if kind == "binary":
        return outputs, (torch.rand(rows, classes, generator=DRAW) < 0.3).float()
    return outputs, torch.randn(rows, classes, generator=DRAW)


def test_each_is_of_labels_or_of_links():
    """The two interfaces cover the table, and each metric bears the name that the table knows it by."""
    assert set(OF_LABELS) | set(OF_LINKS) == set(MADE) and not set(OF_LABELS) & set(OF_LINKS)
    assert all(made.name == name for name, made in MADE.items() if name != "hits")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name, made in OF_LABELS.items()
        for kind in get_args(LabelKind)
        if made.defined_for(kind, 2 if kind == "classes" else 3)
    ],
)
def test_perfect_outputs_score_best_and_blind_ones_no_better_than_chance(name, kind):
    """1 or 0 for outputs that are right; those drawn at random come to chance, or stay on its wrong side."""
    measure, classes = OF_LABELS[name], 2 if kind == "classes" else 3
    outputs, labels = outputs_and_labels(kind, classes)
    right = torch.nn.functional.one_hot(labels, classes).float() if kind == "classes" else labels
    assert measure.score(right, labels) == pytest.approx(1.0 if measure.higher_is_better else 0.0)
    sign = 1 if measure.higher_is_better else -1
    assert sign * measure.score(outputs, labels) <= sign * measure.chance(labels) + 0.03


@pytest.mark.parametrize("name", OF_LABELS)
def test_outputs_that_are_not_finite_have_no_score(name):
    """NaN, which wins over nothing."""
    measure = OF_LABELS[name]
    kind = measure.kinds[0]
    outputs, labels = outputs_and_labels(kind, 2, rows=20)
    outputs[3, 1] = float("inf")
    assert math.isnan(measure.score(outputs, labels))


@pytest.mark.parametrize("name", OF_LINKS)
def test_links_found_at_random_score_chance(name):
    """Over many draws of scores the mean is `chance`; links above all others score 1."""
    measure = OF_LINKS[name]
    positive, negative = torch.rand(4000, generator=DRAW), torch.rand(4000, 150, generator=DRAW)
    assert measure.score(positive, negative) == pytest.approx(measure.chance(4000, 150), abs=0.03)
    assert measure.score(positive + 1, negative) == 1


def test_presets_are_metrics_with_their_option_fixed():
    """`hits@20` is made without options."""
    assert isinstance(metrics.get("hits@20"), partial) and MADE["hits@20"].k == 20
