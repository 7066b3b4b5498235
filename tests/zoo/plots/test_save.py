"""Writing pictures."""

from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib import rc_context

from zoo.errors import RunError
from zoo.plots.heatmap import heatmap
from zoo.plots.profile import profile
from zoo.plots.save import FORMATS, save
from zoo.plots.style import new_figure


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
