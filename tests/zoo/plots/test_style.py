"""What makes the pictures readable in black and white."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from zoo.plots.style import DASHES, MARKERS, colors, literal, logarithmic, mark_zeros, marker, new_figure, positive
from zoo.untrusted import escape_controls


def test_colours_differ_in_grey():
    """Luminance rises from line to line, and the last is still seen on white."""
    luminance = [np.dot([0.2126, 0.7152, 0.0722], to_rgb(color)) for color in colors(4)]
    assert (np.diff(luminance) > 0.08).all()
    assert luminance[-1] < 0.75


def test_markers_of_neighbouring_lines_do_not_coincide():
    """A long line has few markers, at other places than the next line; a short one has one at every point."""
    first, second = marker(0, 64), marker(1, 64)
    assert first["marker"] != second["marker"]
    assert first["markevery"] == (0, 8) and second["markevery"] == (2, 8)
    assert marker(1, 3)["markevery"] == (0, 1)
    assert len({(DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)]) for i in range(35)}) == 35


def test_what_has_no_logarithm_is_a_gap():
    """Zero, negative and not finite become NaN, the rest stays."""
    np.testing.assert_array_equal(positive([1.0, 0.0, -1.0, np.inf, np.nan]), [1, np.nan, np.nan, np.nan, np.nan])


def test_zeros_are_marked():
    """A triangle stands at each exact zero and at nothing else."""
    axes = new_figure("", (3, 2)).add_subplot()
    assert not mark_zeros(axes, np.array([1, 2]), [1.0, np.nan], "black")
    assert mark_zeros(axes, np.array([1, 2, 3]), [0.0, np.nan, 0.0], "black")
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()] == [[1, 3]]


@pytest.mark.parametrize(
    "values", [[1.0, 1.1], [1e-30, 1e10], [], [float("nan")]], ids=["flat", "steep", "none", "NaN"]
)
def test_a_logarithmic_axis_has_limits(values):
    """Limits are positive, contain the values, and span more than a factor of ten for a flat line."""
    axes = new_figure("", (3, 2)).add_subplot()
    axes.plot(range(len(values)), values)
    logarithmic(axes)
    low, high = axes.get_ylim()
    assert 0 < low < high and high / low >= 10
    assert all(low <= value <= high for value in values if np.isfinite(value))


def test_long_titles_are_wrapped():
    """A recipe with a long name stays within the picture, and a $ in it is a $."""
    figure = new_figure(f"{'a-long-name ' * 20}costs $1$", (7, 3))
    title = figure.get_suptitle()
    assert max(map(len, title.splitlines())) <= 80
    assert title.endswith("$1$")
    figure.draw_without_rendering()


@pytest.mark.parametrize("text", ["$x$", r"$\\frac{$", "_hidden", "a\x1b[31m", "10 $", r"\\$", "<script>"])
def test_a_users_text_is_no_formula(text):
    """As a label it is drawn as it stands, in the legend too; a formula that is none would be an error."""
    figure = new_figure(text, (3, 2))
    axes = figure.add_subplot()
    axes.plot([1], [1], label=literal(text))
    axes.set_xlabel(literal(text))
    legend = axes.legend()
    figure.draw_without_rendering()
    assert len(legend.get_texts()) == 1
    shown: Any = legend.get_texts()[0]
    drawn, is_formula = shown._preprocess_math(shown.get_text())
    assert not is_formula
    assert drawn.strip() == escape_controls(text).replace("\\\\$", "\\$") or "\\" in text
