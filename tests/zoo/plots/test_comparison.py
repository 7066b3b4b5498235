"""Profiles of several depths in one picture."""

import numpy as np

from zoo.plots.comparison import profiles


def test_profiles_over_relative_depth():
    """Each is drawn whole over l/L, whatever its number of blocks, with its label in the key."""
    given = {"4 blocks": [4.0, 3.0, 2.0, 1.0], "2 blocks": [2.0, 1.0], "one": [1.0]}
    figure = profiles(given, "title")
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == list(given)
    for line, values in zip(lines, given.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_allclose(np.asarray(line.get_xdata()), np.arange(1, len(values) + 1) / len(values))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(given)
    assert figure.axes[0].get_yscale() == "log"
    assert figure.get_suptitle() == "title"


def test_lines_differ_without_colour():
    """Up to 35 networks have a dash and marker that no other has."""
    lines = profiles({str(index): [1.0, 2.0] for index in range(35)}, "").axes[0].get_lines()
    looks = {(str(getattr(line, "_unscaled_dash_pattern")), line.get_marker()) for line in lines}  # noqa: B009
    assert len(looks) == 35


def test_gaps_and_zeros_in_a_profile():
    """Not finite is a gap, exactly 0 a triangle with a key."""
    figure = profiles({"dead": [0.0, float("nan"), 1.0]}, "")
    profile, triangle, key = figure.axes[0].get_lines()
    np.testing.assert_array_equal(profile.get_ydata(), [np.nan, np.nan, 1])
    np.testing.assert_allclose(np.asarray(triangle.get_xdata()), [1 / 3])
    assert key.get_label() == "exactly 0"
    figure.draw_without_rendering()


def test_no_profiles_are_empty_axes():
    """Nothing to compare is no error."""
    profiles({}, "").draw_without_rendering()
    profiles({"empty": []}, "").draw_without_rendering()
