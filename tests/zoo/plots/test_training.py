"""Validation and expansion over time."""

import numpy as np

from zoo.plots.series import series
from zoo.plots.training import training

VALIDATION = [{"step": step, "epoch": step, "val": val} for step, val in ((1, 0.4), (2, None), (3, 0.7))]


def test_both_curves_are_what_was_recorded(record):
    """The metric stands on the left axis, e^rate on the right; the best validation is a line."""
    rows = record(epochs=4)
    figure = training(series(VALIDATION, "val"), series(rows, "expansion_rate.plain"), "title", "accuracy", best=3)
    assert figure is not None
    left, right = figure.axes
    val, best = left.get_lines()
    np.testing.assert_array_equal(val.get_ydata(), [0.4, np.nan, 0.7])
    assert np.asarray(val.get_xdata()).tolist() == [1, 2, 3]
    assert best.get_xdata() == [3, 3] and best.get_label() == "best: epoch 3"
    factor, one = right.get_lines()
    np.testing.assert_allclose(np.asarray(factor.get_ydata()), np.exp([0.05, 0.04, 0.03, 0.02]), rtol=1e-12)
    assert np.asarray(factor.get_xdata()).tolist() == [0, 1, 2, 3]
    assert one.get_ydata() == [1, 1]
    assert left.get_ylabel() == "validation accuracy"
    assert figure.get_suptitle() == "title"


def test_either_curve_is_drawn_alone(record):
    """A run without probes has no right axis; one without validations keeps its expansion."""
    figure = training(series(VALIDATION, "val"), None, "", "accuracy")
    assert figure is not None and len(figure.axes) == 1
    figure.draw_without_rendering()
    figure = training(None, series(record(epochs=1), "expansion_rate.plain"), "")
    assert figure is not None and len(figure.axes) == 2
    figure.draw_without_rendering()


def test_neither_is_no_picture():
    """A run that was broken off before it measured anything has no figure."""
    assert training(None, None, "") is None


def test_steps_where_epochs_are_validated_twice():
    """Both curves count steps as soon as one needs to."""
    rows = [{"step": step, "epoch": 1, "val": 0.5} for step in (10, 20)]
    figure = training(series(rows, "val"), None, "", best=20)
    assert figure is not None
    val, best = figure.axes[0].get_lines()
    assert np.asarray(val.get_xdata()).tolist() == [10, 20]
    assert best.get_label() == "best: step 20"
    assert figure.axes[0].get_xlabel() == "step"
