"""The bound c over time."""

import numpy as np

from zoo.plots.bound import bound


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
