"""Pictures over the time of a training: the curves, cells and bands are the record."""

from typing import Any

import numpy as np
import pytest

from zoo.plots.over_time import bound, edges, heatmap, training
from zoo.plots.series import series

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
    np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_ydata(), [0.4, np.nan, 0.7])
    figure = training(None, series(record(epochs=1), "expansion_rate.plain"), "")
    assert figure is not None and len(figure.axes) == 2
    assert not figure.axes[0].get_lines() and not len(figure.axes[0].get_yticks())
    np.testing.assert_allclose(np.asarray(figure.axes[1].get_lines()[0].get_xydata()), [[0, np.exp(0.05)]])
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


def cells_of(figure) -> Any:
    return figure.axes[0].collections[0].get_array()


def test_cells_are_logarithms_of_the_record(record):
    """Row l, column t holds log10 μ(G_l) at the t-th measured step."""
    rows = record(blocks=3, epochs=4)
    figure = heatmap(rows, "title", best=2)
    assert figure is not None
    cells = cells_of(figure)
    np.testing.assert_allclose(cells, np.log10([row["gradients.mu.plain"] for row in rows]).T, rtol=1e-12)
    assert figure.axes[0].get_lines()[-1].get_xdata() == [2, 2]
    assert figure.get_suptitle() == "title"


def test_cells_without_a_logarithm_are_hatched(record):
    """Zeros and nulls are masked, with a hatch behind them and a key to it."""
    rows = record(blocks=2, epochs=3)
    rows[0]["gradients.mu.plain"] = [0.0, 1.0]
    rows[1]["gradients.mu.plain"] = None
    figure = heatmap(rows, "")
    assert figure is not None
    mask = np.ma.getmaskarray(cells_of(figure))
    assert mask.tolist() == [[True, True, False], [False, True, False]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"$\mu$ is 0 or not finite"]
    assert figure.axes[0].patches[0].get_hatch()


def test_steps_within_an_epoch_have_columns_of_their_own(record):
    """Measured several times an epoch, the axis counts steps."""
    rows = [{**row, "epoch": 1} for row in record(epochs=3)]
    figure = heatmap(rows, "")
    assert figure is not None
    assert figure.axes[0].get_xlabel() == "step"
    assert figure.axes[0].get_xlim() == (-0.5, 2.5)


@pytest.mark.parametrize(("blocks", "epochs"), [(1, 1), (1, 3), (3, 1)])
def test_a_single_block_or_step_is_drawn(record, blocks, epochs):
    """One row or one column is a heat map, too."""
    rows = record(blocks, epochs)
    figure = heatmap(rows, "", best=0)
    assert figure is not None
    figure.draw_without_rendering()
    np.testing.assert_allclose(cells_of(figure), np.log10([row["gradients.mu.plain"] for row in rows]).T)


def test_nothing_positive_is_no_picture(record):
    """Without μ, or with none above 0, there is no figure."""
    assert heatmap([], "") is None
    assert heatmap([{"step": 0, "epoch": 0, "gradients.mu.plain": [0.0, None]}], "") is None


def test_edges_lie_between_the_centres():
    """Cells of unequal width meet half-way, and the outer ones are symmetric about their centre."""
    np.testing.assert_array_equal(edges(np.array([0, 1, 3])), [-0.5, 0.5, 2, 4])
    np.testing.assert_array_equal(edges(np.array([7])), [6.5, 7.5])


def lines_of(figure):
    return {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}


def at(epoch, c):
    return {"step": 10 * epoch, "epoch": epoch, "weights.c": c}


def test_one_line_where_all_blocks_agree():
    """The same c in every block is one line, and no band."""
    figure = bound([at(0, [1.0, 1.0]), at(1, [2.0, 2.0])], "title")
    assert figure is not None
    drawn = lines_of(figure)
    assert list(drawn) == ["c, the same in every block"]
    np.testing.assert_array_equal(drawn["c, the same in every block"], [1, 2])
    assert not figure.axes[0].collections
    assert figure.get_suptitle() == "title"


def test_a_band_where_blocks_differ():
    """Smallest to largest as a band, with the median and the outer blocks as lines; null in one block is left out."""
    figure = bound([at(0, [1.0, 3.0, 8.0]), at(2, [4.0, None, 2.0])], "", best=10)
    assert figure is not None
    drawn = lines_of(figure)
    np.testing.assert_array_equal(drawn["median"], [3, 3])
    np.testing.assert_array_equal(drawn["first block"], [1, 4])
    np.testing.assert_array_equal(drawn["last block"], [8, 2])
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    assert {(0.0, 1.0), (0.0, 8.0), (2.0, 2.0), (2.0, 4.0)} == set(map(tuple, np.asarray(corners).tolist()))
    assert figure.axes[0].get_lines()[-1].get_xdata() == [1, 1], "half-way between the measured steps"


def test_a_wide_range_is_logarithmic():
    """A c that changes by orders of magnitude is readable at both ends."""
    wide, narrow = bound([at(0, [0.01, 1.0])], ""), bound([at(0, [0.5, 1.0])], "")
    assert wide is not None and narrow is not None
    assert (wide.axes[0].get_yscale(), narrow.axes[0].get_yscale()) == ("log", "linear")
    wide.draw_without_rendering()


def test_a_step_without_any_c_is_left_out():
    """Null at all blocks drops the step, without a warning; never any c is no picture."""
    figure = bound([at(0, None), at(1, [1.0])], "")
    assert figure is not None
    assert np.asarray(figure.axes[0].get_lines()[0].get_xdata()).tolist() == [1]
    assert bound([{"step": 0, "epoch": 0}], "") is None
