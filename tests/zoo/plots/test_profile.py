"""Profiles over blocks, of one network and of several: the lines are the record."""

import numpy as np

from zoo.plots.profile import profile, profiles


def lines_of(figure, panel=0):
    """Drawn values by label."""
    lines = figure.axes[panel].get_lines()
    return {line.get_label(): line.get_ydata() for line in lines if not str(line.get_label()).startswith("_")}


def keys_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_lines_are_what_was_recorded(record):
    """μ and norm at the first, the best and the last measured step, block by block."""
    rows = record(blocks=6, epochs=5)
    figure = profile(rows, "title", best=3)
    assert figure is not None
    drawn = lines_of(figure)
    assert len(drawn) == 6
    for moment, row in [("first: epoch 0", 0), ("best: epoch 3", 3), ("last: epoch 4", 4)]:
        np.testing.assert_array_equal(drawn[rf"$\mu(G_l)$, plain, {moment}"], rows[row]["gradients.mu.plain"])
        np.testing.assert_array_equal(drawn[rf"$\|G_l\|_F$, {moment}"], rows[row]["gradients.norm"])
    assert np.asarray(figure.axes[0].get_lines()[0].get_xdata()).tolist() == [1, 2, 3, 4, 5, 6]
    assert figure.axes[0].get_yscale() == "log"
    assert figure.get_suptitle() == "title"


def test_the_legend_shows_its_formulas(record):
    """The zoo's own labels are set as mathematics: only texts of the user's are shown to the letter."""
    figure = profile(record(), "")
    assert figure is not None
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())]
    labels = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert labels == [r"$\mu(G_l)$, plain", r"$\|G_l\|_F$", "plain", "limit", "plain", "limit"]


def test_ratios_are_what_was_recorded(record):
    """Ratios of gradients and representations have a panel each on [0, 1], plain solid and limit dashed."""
    rows = record()
    figure = profile(rows, "")
    assert figure is not None
    for panel, of in enumerate(("gradients", "representations"), start=1):
        drawn = lines_of(figure, panel)
        for subspace in ("plain", "limit"):
            np.testing.assert_array_equal(drawn[f"{subspace}, first: epoch 0"], rows[0][f"{of}.ratio.{subspace}"])
        dashes = {str(line.get_label()).split(",")[0]: line.get_linestyle() for line in figure.axes[panel].get_lines()}
        assert dashes == {"plain": "-", "limit": "--"}
        low, high = figure.axes[panel].get_ylim()
        assert low <= 0 and high >= 1


def test_moments_that_coincide_are_one_line(record):
    """A single measured step is first, best and last at once; without a validation there is no best."""
    only = profile(record(epochs=1), "", best=0)
    assert only is not None and keys_of(only) == ["first = best = last: epoch 0"]
    two = profile(record(epochs=2), "")
    assert two is not None and keys_of(two) == ["first: epoch 0", "last: epoch 1"]


def test_the_step_nearest_to_the_best_is_drawn(record):
    """Where the best step was not measured, the key says so."""
    figure = profile(record(epochs=9)[::4], "", best=3)
    assert figure is not None
    assert keys_of(figure) == ["first: epoch 0", "nearest to best: epoch 4", "last: epoch 8"]


def test_gaps_and_zeros(record):
    """Null leaves a gap; an exact 0 leaves a gap and a triangle, and the key says what that is."""
    rows = record(blocks=4, epochs=1)
    rows[0]["gradients.mu.plain"] = [0.0, None, 1.0, 2.0]
    figure = profile(rows, "")
    assert figure is not None
    mu = next(iter(lines_of(figure).values()))
    np.testing.assert_array_equal(mu, [np.nan, np.nan, 1, 2])
    triangles = [line for line in figure.axes[0].get_lines() if str(line.get_label()).startswith("_")]
    assert [np.asarray(line.get_xdata()).tolist() for line in triangles] == [[1]]
    assert keys_of(figure)[-1] == "exactly 0"
    figure.draw_without_rendering()


def test_a_gradient_that_is_nothing_but_0(record):
    """A network whose gradient died out altogether has a triangle for each block and quantity, and no line."""
    rows = [{"step": 0, "epoch": 0, "gradients.mu.plain": [0.0, 0.0], "gradients.norm": [0.0, 0.0]}]
    figure = profile(rows, "")
    assert figure is not None
    drawn = lines_of(figure)
    assert len(drawn) == 2 and np.isnan(np.array(list(drawn.values()), dtype=float)).all()
    triangles = [line for line in figure.axes[0].get_lines() if line.get_marker() == "v"]
    assert [np.asarray(line.get_xdata()).tolist() for line in triangles] == [[1, 2], [1, 2]]
    assert keys_of(figure)[-1] == "exactly 0"
    figure.draw_without_rendering()


def test_panels_without_data_are_left_out(record):
    """Whatever part of the quantities was measured is drawn, on a single block too."""
    rows = record(blocks=1, epochs=1)
    for prefix, panels in [("gradients.mu", 1), ("gradients", 2), ("representations", 1), ("", 3)]:
        kept = [{key: row[key] for key in row if key in ("step", "epoch") or key.startswith(prefix)} for row in rows]
        figure = profile(kept, "")
        assert figure is not None and len(figure.axes) == panels
        for axes in figure.axes:
            lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
            assert lines and all(np.isfinite(line.get_xydata()).all() for line in lines)
        figure.draw_without_rendering()
    ratios = [{key: row[key] for key in row if key in ("step", "epoch") or ".ratio." in key} for row in rows]
    figure = profile(ratios, "")
    assert figure is not None and len(figure.axes) == 2


def test_nothing_measured_is_no_picture():
    """Without any of its quantities there is no figure."""
    assert profile([], "") is None
    assert profile([{"step": 0, "epoch": 0, "gradients.mu.plain": [None]}], "") is None


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


def test_no_profiles_are_empty_axes():
    """Nothing to compare is no error."""
    nothing, empty = profiles({}, ""), profiles({"empty": []}, "")
    assert not nothing.axes[0].get_lines() and not nothing.legends
    (line,) = empty.axes[0].get_lines()
    assert not np.size(line.get_xdata()) and [text.get_text() for text in empty.legends[0].get_texts()] == ["empty"]
    for figure in (nothing, empty):
        assert figure.axes[0].get_ylim() == (0.1, 10)
        figure.draw_without_rendering()
