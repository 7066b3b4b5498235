from typing import Any

import pytest
import torch

from zoo.datasets.base import NodeData
from zoo.errors import BuildError
from zoo.metrics.classification import ROCAUC, Accuracy
from zoo.metrics.regression import RMSE
from zoo.tasks.known import check_scores, note_labels

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
