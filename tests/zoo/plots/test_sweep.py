"""Pictures of a study: what stands where, and gaps where there is nothing."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from zoo.plots import Line, scatter, sweep


def line(label="a", panel="", x=(2, 8, 64), mean=(0.8, 0.7, 0.6), **more):
    """A line with intervals of 0.02 and two runs at each x."""
    low, high = ([None if value is None else value + by for value in mean] for by in (-0.02, 0.02))
    values = [[] if value is None else [value - 0.01, value + 0.01] for value in mean]
    ends = {"low": low, "high": high, "values": values}
    return Line(label=label, x=x, mean=mean, panel=panel, **{**ends, **more})


def drawn(axes, label):
    """The line of that label."""
    return next(item for item in axes.get_lines() if item.get_label() == label and len(item.get_xdata()))


def test_a_sweep_shows_means_bands_and_runs():
    """The mean as a line, the interval as a band and bars, every run as a dot."""
    figure = sweep([line()], x_label="depth", y_label="test accuracy", title="study")
    (axes,) = figure.axes
    np.testing.assert_array_equal(drawn(axes, "a").get_ydata(), [0.8, 0.7, 0.6])
    band = axes.collections[0].get_paths()[0].get_extents()
    np.testing.assert_allclose([band.x0, band.x1, band.y0, band.y1], [2, 64, 0.58, 0.82])
    dots = [item.get_ydata() for item in axes.get_lines() if item.get_marker() == "."]
    np.testing.assert_allclose(np.concatenate(dots), [0.79, 0.81, 0.69, 0.71, 0.59, 0.61])
    (bars,) = (item for item in axes.collections if isinstance(item, LineCollection))
    ends = [[[x, mean - 0.02], [x, mean + 0.02]] for x, mean in ((2, 0.8), (8, 0.7), (64, 0.6))]
    np.testing.assert_allclose(np.asarray(bars.get_segments()), ends)
    assert (axes.get_xlabel(), axes.get_ylabel(), figure.get_suptitle()) == ("depth", "test accuracy", "study")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a"]


def test_places_on_a_logarithmic_axis_have_their_numbers():
    """Depths are read off, not powers of ten."""
    figure = sweep([line()], x_label="depth", y_label="y", log_x=True)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "8", "64"]


def test_a_panel_for_each_data_set():
    """In order, with their titles; a label looks the same in all and is explained once, wherever it comes first."""
    lines = [line("a", "cora"), line("b", "citeseer"), line("a", "citeseer"), line("b", "x"), line("a", "y_$1$")]
    figure = sweep(lines, x_label="x", y_label="y")
    assert [axes.get_title() for axes in figure.axes] == ["cora", "citeseer", "x", "y_$1$"]
    first, second = (drawn(axes, "a") for axes in figure.axes[:2])
    assert (first.get_color(), first.get_marker()) == (second.get_color(), second.get_marker())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    figure.draw_without_rendering()


def test_gaps_in_a_sweep():
    """No mean is a gap; a single run has a mean without an interval."""
    figure = sweep([line(mean=(0.8, None, 0.6), low=(None,) * 3, high=(None,) * 3)], x_label="x", y_label="y")
    np.testing.assert_array_equal(drawn(figure.axes[0], "a").get_ydata(), [0.8, np.nan, 0.6])
    bars = [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]
    assert not any(len(segment) for item in bars for segment in item.get_segments())


def test_nothing_to_sweep():
    """No lines are an empty picture, and so is a line without places."""
    nothing = sweep([], x_label="x", y_label="y")
    empty = sweep([line(x=(), mean=())], x_label="x", y_label="y", log_x=True)
    for figure, keys in ((nothing, []), (empty, ["a"])):
        (axes,) = figure.axes
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
        assert not any(np.size(item.get_xdata()) for item in axes.get_lines())
        assert [text.get_text() for legend in figure.legends for text in legend.get_texts()] == keys
        figure.draw_without_rendering()


def points(figure):
    """The points of every group by label, in data coordinates."""
    return {
        item.get_label(): np.asarray(item.get_offsets())
        for item in figure.axes[0].collections
        if not item.get_label().startswith("_") and len(item.get_offsets())
    }


def test_scatter_draws_groups_and_rho():
    """Points as they are; ρ with its interval and how many there are."""
    figure = scatter(
        {"none": ([1.0, 2.0], [0.5, 0.6]), "pair": ([3.0], [0.7])},
        x_label="x",
        y_label="test",
        rho=(-0.5, -0.75, 0.1),
        title="t",
    )
    (axes,) = figure.axes
    np.testing.assert_array_equal(points(figure)["none"], [[1, 0.5], [2, 0.6]])
    assert list(points(figure)) == ["none", "pair"]
    assert axes.get_title(loc="left") == "Spearman's ρ = −0.50 [−0.75, 0.10], n = 3"
    assert axes.get_xscale() == "linear"


@pytest.mark.parametrize(
    ("x", "scale"),
    [
        ([1e-3, 1e-2, 1e-1], "log"),
        ([1.0, 50.0, 99.0], "linear"),
        ([-1.0, 1e-3, 1.0], "linear"),
        ([0.0, 0.0, 0.0], "linear"),
    ],
)
def test_decades_are_shown_on_a_logarithmic_axis(x, scale):
    """From two decades on, if nothing is negative."""
    figure = scatter({"a": (x, [0.1, 0.2, 0.3])}, x_label="x", y_label="y")
    assert figure.axes[0].get_xscale() == scale
    offsets = np.concatenate([np.asarray(item.get_offsets()) for item in figure.axes[0].collections])
    np.testing.assert_array_equal(np.sort(offsets[:, 1]), [0.1, 0.2, 0.3])
    figure.draw_without_rendering()


def test_what_has_no_place_on_the_axis_stands_at_its_edge():
    """Zeros left and infinities right, with a key; what is not a number is left out and not counted as drawn."""
    x, y = [1e-3, 1.0, 0.0, float("inf"), None, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5, float("nan")]
    figure = scatter({"a": (x, y)}, x_label="x", y_label="y", rho=(0.3, None, None))
    (axes,) = figure.axes
    np.testing.assert_array_equal(points(figure)["a"], [[1e-3, 0.1], [1, 0.2]])
    edges = [np.asarray(item.get_offsets())[0] for item in axes.collections[1:3]]
    np.testing.assert_array_equal(edges, [[0, 0.3], [1, 0.4]])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "x is 0", "x is ∞"]
    assert axes.get_title(loc="left") == "Spearman's ρ = 0.30, n = 4 of 6"
    figure.draw_without_rendering()


def test_nothing_to_scatter():
    """No groups and empty ones are an empty picture."""
    nothing = scatter({}, x_label="x", y_label="y")
    assert not nothing.axes[0].collections and nothing.axes[0].get_title(loc="left") == "n = 0"
    figure = scatter({"a": ([], [])}, x_label="x", y_label="y", rho=(None, None, None))
    assert not points(figure)
    assert figure.axes[0].get_title(loc="left") == "Spearman's ρ = –, n = 0"
    figure.draw_without_rendering()
