"""Style of the pictures: readable in black and white, whole files, and the same bytes for the same picture."""

from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_rgb

from zoo.errors import RunError
from zoo.plots.over_time import heatmap
from zoo.plots.profile import profile
from zoo.plots.style import (
    DASHES,
    FORMATS,
    MARKERS,
    colors,
    literal,
    logarithmic,
    mark_zeros,
    marker,
    new_figure,
    positive,
    save,
)
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


def test_files_are_named_and_whole(record, tmp_path):
    """One file a format beside each other, a dot in the name kept, and no draft left behind."""
    figure = profile(record(), "")
    assert figure is not None
    files = save(figure, tmp_path / "new" / "c=0.5", FORMATS)
    assert files == [tmp_path / "new" / f"c=0.5.{name}" for name in ("png", "svg", "pdf")]
    assert sorted((tmp_path / "new").iterdir()) == sorted(files)
    assert [file.read_bytes()[:5] for file in files] == [b"\x89PNG\r", b"<?xml", b"%PDF-"]


@pytest.mark.parametrize("draw", [profile, heatmap])
def test_the_same_picture_has_the_same_bytes(record, tmp_path, draw):
    """Drawn twice, every format is equal byte for byte: no date, no random names."""
    written = [save(draw(record(), "title", 2), tmp_path / name, FORMATS) for name in ("one", "two")]
    for one, two in zip(*written, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_settings_are_left_alone(record, tmp_path):
    """Drawing and saving change nothing for whoever else uses matplotlib in the process."""
    before = dict(mpl.rcParams)
    figure = profile(record(), "")
    assert figure is not None
    save(figure, tmp_path / "picture")
    assert dict(mpl.rcParams) == before


def test_an_older_picture_is_replaced(record, tmp_path):
    """A picture is drawn anew over the one before."""
    (tmp_path / "picture.png").write_text("old")
    figure = profile(record(), "")
    assert figure is not None
    save(figure, tmp_path / "picture", ["png"])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_place_that_cannot_be_written(record, tmp_path):
    """A file where the folder should be, or a folder where the file should be, is an error that names the picture."""
    figure = profile(record(), "")
    assert figure is not None
    (tmp_path / "file").write_text("")
    (tmp_path / "picture.png").mkdir()
    for stem in (tmp_path / "file" / "picture", tmp_path / "picture"):
        with pytest.raises(RunError, match=rf"picture {stem}.png — cannot be written: .* — expected a folder to write"):
            save(figure, stem, ["png"])
    assert not list(tmp_path.glob("*.part"))


def test_a_link_in_the_place_of_the_draft_is_not_written_through(tmp_path):
    """The file that it points to stays, and the picture is a file of its own."""
    other = tmp_path / "precious"
    other.write_text("kept")
    for name in ("x.svg", "x.svg.part"):
        (tmp_path / name).symlink_to(other)
    save(new_figure("t", (1, 1)), tmp_path / "x", ["svg"])
    assert other.read_text() == "kept"
    assert not (tmp_path / "x.svg").is_symlink()
    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_a_title_is_text_in_a_picture(tmp_path):
    """SVG is a page of its own: what stands in a title is no tag of it."""
    with rc_context({"svg.fonttype": "none"}):
        save(new_figure("<script>alert(1)</script> $x$", (3, 1)), tmp_path / "x", ["svg"])
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(tmp_path / "x.svg").iter()}
    assert "script" not in tags
    assert "&lt;script&gt;" in (tmp_path / "x.svg").read_text()
