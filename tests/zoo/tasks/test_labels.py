"""The loss of labels, against NumPy's logarithms and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error

from zoo.tasks.labels import label_loss

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
