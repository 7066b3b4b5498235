"""The loss of labels, against NumPy's logarithms and scikit-learn."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error

from zoo.datasets.base import NodeData
from zoo.errors import BuildError
from zoo.metrics.classification import ROCAUC, Accuracy
from zoo.metrics.regression import RMSE
from zoo.tasks.label_task import check_scores, label_loss, note_labels

DRAW = np.random.default_rng(0)


def test_classes_have_cross_entropy():
    """scikit-learn's log loss of the softmax, in float64."""
    outputs, labels = DRAW.standard_normal((40, 3)), DRAW.integers(3, size=40)
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    loss = label_loss(torch.tensor(outputs), torch.tensor(labels), "classes")
    assert loss.item() == pytest.approx(log_loss(labels, shares, labels=[0, 1, 2]), rel=1e-6)


def test_binary_labels_have_the_mean_over_those_known():
    """Each known label counts once, wherever it stands; logits of unknown ones have no gradient."""
    outputs, labels = DRAW.standard_normal((30, 5)), DRAW.integers(2, size=(30, 5)).astype(float)
    labels[DRAW.random((30, 5)) < 0.4] = np.nan
    known = ~np.isnan(labels)
    logits = torch.tensor(outputs, requires_grad=True)
    loss = label_loss(logits, torch.tensor(labels), "binary")
    assert loss.item() == pytest.approx(log_loss(labels[known], 1 / (1 + np.exp(-outputs[known]))), rel=1e-6)
    loss.backward()
    assert logits.grad is not None
    shares = (1 / (1 + np.exp(-outputs)) - np.nan_to_num(labels)) / known.sum()  # d loss / d logit
    np.testing.assert_allclose(logits.grad.numpy(), np.where(known, shares, 0), rtol=1e-4, atol=1e-8)


def test_what_is_said_where_nothing_is_known_does_not_matter():
    """An output that is not finite has no gradient, and no part in the loss, if its label is unknown."""
    for problem in ("binary", "values"):
        outputs = torch.tensor([[1.0, torch.inf], [torch.nan, -1.0]], requires_grad=True)
        loss = label_loss(outputs, torch.tensor([[1.0, torch.nan], [torch.nan, 0.0]]), problem)
        loss.backward()
        assert outputs.grad is not None
        assert loss.isfinite() and outputs.grad.isfinite().all()
        assert outputs.grad[0, 1] == outputs.grad[1, 0] == 0


def test_values_have_squares():
    """scikit-learn's mean squared error over the known ones."""
    outputs, labels = DRAW.standard_normal((30, 2)), DRAW.standard_normal((30, 2))
    labels[3:9, 1] = np.nan
    known = ~np.isnan(labels)
    loss = label_loss(torch.tensor(outputs), torch.tensor(labels), "values")
    assert loss.item() == pytest.approx(mean_squared_error(labels[known], outputs[known]), rel=1e-6)


@pytest.mark.parametrize(
    ("problem", "labels"),
    [
        ("classes", torch.zeros(0, dtype=torch.int64)),
        ("binary", torch.full((2, 3), torch.nan)),
        ("values", torch.full((2, 3), torch.nan)),
    ],
)
def test_without_labels_there_is_nothing_to_learn(problem, labels):
    """0 with a gradient of 0, where a mean over nothing would be NaN; a process with an empty share goes on."""
    outputs = torch.randn(len(labels), 3, requires_grad=True)
    loss = label_loss(outputs, labels, problem)
    loss.backward()
    assert loss.item() == 0
    assert outputs.grad is not None and not outputs.grad.any()


@pytest.mark.parametrize("problem", ["classes", "binary", "values"])
def test_it_is_computed_in_float32(problem):
    """Under half precision too."""
    labels = torch.tensor([0, 1]) if problem == "classes" else torch.tensor([[0.0, 1.0], [1.0, torch.nan]])
    assert label_loss(torch.ones(2, 2, dtype=torch.bfloat16), labels, problem).dtype == torch.float32


NAN = float("nan")
NONE = torch.zeros(0, dtype=torch.int64)
INDEX = {"train": torch.tensor([0, 1, 2]), "val": torch.tensor([3, 4]), "test": torch.tensor([5])}


def nodes(labels: Any, classes: int, problem: Any = "classes") -> NodeData:
    """Six nodes with these labels."""
    return NodeData("demo", NONE, NONE, torch.ones(6, 1), torch.tensor(labels), classes, problem=problem)


@pytest.mark.parametrize(
    ("labels", "classes", "notes"),
    [
        ([0, 1, 2, 0, 1, 2], 3, []),
        (
            [0, 1, 1, 2, 2, 3],
            5,
            [
                (
                    "labels",
                    "3 of 5 classes without a train node: 2, 3, 4",
                    "no train node is of these; 3 of val and test are, and cannot be learned",
                )
            ],
        ),
        (
            [1, 1, 1, 0, 1, 0],
            2,
            [("labels", "one class", "every train node is of class 1: there is nothing to tell apart")],
        ),
    ],
)
def test_classes_that_cannot_be_learned_are_noted(labels, classes, notes):
    """Classes without a training node are named, with how many nodes are scored on them; so is a single class."""
    assert note_labels(nodes(labels, classes), INDEX) == notes


def test_labels_of_one_kind_are_noted():
    """Of several binary labels those without a positive or a negative in the training part are named."""
    binary = nodes([[0.0, 1], [1, 1], [NAN, NAN], [0, 0], [1, 1], [0, 1]], 2, "binary")
    (note,) = note_labels(binary, INDEX)
    assert note[1] == "1 of 2 without both a positive and a negative: 1"


def test_numbers_that_are_never_known_in_training_are_noted():
    """A column of numbers without one known value in the training part is named."""
    (note,) = note_labels(nodes([[NAN], [NAN], [NAN], [1.0], [2.0], [3.0]], 1, "values"), INDEX)
    assert note[1:] == (
        "1 of 1 without a known value: 0",
        "the train nodes do not have a known value of these, which cannot be learned",
    )


def test_a_score_that_cannot_be_told_is_noted_or_refused():
    """ROC-AUC of a part of one class is noted for train and test, and refused for val, by which weights are chosen."""
    one = nodes([1, 1, 1, 0, 1, 0], 2)
    said = [(what, chosen) for what, chosen, _ in check_scores(ROCAUC(), one, INDEX)]
    assert said == [("metric", "none of train"), ("metric", "none of test")]
    assert not check_scores(Accuracy(), one, INDEX)
    with pytest.raises(BuildError, match=r"rocauc of the 2 val labels of demo cannot be told: all .* are negative"):
        check_scores(ROCAUC(), nodes([1, 0, 1, 0, 0, 0], 2), INDEX)
    with pytest.raises(BuildError, match="rmse of the 2 val labels of demo cannot be told: none is known"):
        check_scores(RMSE(), nodes([[1.0], [0], [1], [NAN], [NAN], [0]], 1, "values"), INDEX)
    mixed = nodes([[0.0, 1], [1, 0], [0, 0], [0, 1], [0, 1], [0, 1]], 2, "binary")
    with pytest.raises(BuildError, match="none has both a positive and a negative"):
        check_scores(ROCAUC(), mixed, INDEX)
