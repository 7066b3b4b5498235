"""Errors of numbers, against OGB's Evaluator and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from ogb.graphproppred import Evaluator
from sklearn.metrics import mean_absolute_error

from zoo.metrics.regression import MAE, RMSE


@pytest.fixture
def labels() -> torch.Tensor:
    """Three labels of twenty graphs, some unknown."""
    labels = 5 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) + 40
    labels[3:9, 1] = math.nan
    return labels


def test_rmse_is_that_of_ogb(labels):
    """The mean over labels of each one's root, unknown ones left out, as OGB scores molesol and the like."""
    outputs = labels.nan_to_num(0) + torch.randn(20, 3)
    evaluator = Evaluator("ogbg-mollipo")
    evaluator.num_tasks = 3
    wanted = evaluator.eval({"y_true": labels.double(), "y_pred": outputs.double()})["rmse"]
    assert RMSE().score(outputs, labels) == pytest.approx(wanted, rel=1e-12)


def test_mae_is_that_of_scikit_learn(labels):
    """Of each label where it is known, then the mean."""
    outputs = labels.nan_to_num(0) + torch.randn(20, 3)
    known = [~column.isnan().numpy() for column in labels.T]
    errors = [mean_absolute_error(labels[k, i], outputs[k, i]) for i, k in enumerate(known)]
    assert MAE().score(outputs, labels) == pytest.approx(np.mean(errors), rel=1e-6)


@pytest.mark.parametrize("metric", [RMSE(), MAE()])
def test_chance_is_the_best_that_one_number_does(metric, labels):
    """No other number for a label has a smaller error, and the score of that number is the chance."""
    column = labels[:, :1]
    numbers = torch.linspace(20, 60, 4001)
    scores = [metric.score(number.expand(20, 1), column) for number in numbers]
    assert metric.chance(column) == pytest.approx(min(scores), abs=2e-4)
    assert metric.chance(column) <= min(scores) + 1e-12
    assert metric.chance(labels) == pytest.approx(np.mean([metric.chance(labels[:, [i]]) for i in range(3)]))


@pytest.mark.parametrize("metric", [RMSE(), MAE()])
def test_what_cannot_be_told_is_nan(metric, labels):
    """An output that is not finite, or labels that are all unknown; the error is better the lower it is."""
    bad = labels.nan_to_num(0)
    bad[4, 2] = math.inf
    assert math.isnan(metric.score(bad, labels))
    assert math.isnan(metric.score(torch.zeros(20, 3), torch.full((20, 3), math.nan)))
    assert not metric.higher_is_better
    assert metric.score(labels.nan_to_num(0), labels) == 0
    assert (metric.defined_for("values", 3), metric.defined_for("binary", 3), metric.defined_for("classes", 2)) == (
        True,
        False,
        False,
    )
