"""Plug-in files: run once, undone when they fail, named in every error."""

import pytest

from registry import DuplicateName, PluginError, load_plugin, schedules


def write(folder, body: str, name: str = "mine.py"):
    file = folder / name
    file.write_text(body)
    return file


MINE = """
from registry import schedules

@schedules.register("{name}")
class Mine:
    '''A schedule of one's own.'''
"""


def test_a_plugin_registers_names(tmp_path):
    """Running the file enters its names, and says which."""
    assert load_plugin(write(tmp_path, MINE.format(name="mine"))) == ["schedules.mine"]
    assert "mine.py:4" in schedules.find("mine").source


def test_a_plugin_is_run_once(tmp_path):
    """The same file asked for twice is run once."""
    file = write(tmp_path, MINE.format(name="mine"))
    load_plugin(file)
    first = schedules.get("mine")
    assert load_plugin(file) == ["schedules.mine"]
    assert schedules.get("mine") is first


def test_a_copy_of_a_plugin_is_the_same_plugin(tmp_path):
    """A run folder keeps a copy of the plug-in; loading it beside the original is no duplicate."""
    load_plugin(write(tmp_path, MINE.format(name="mine")))
    copies = tmp_path / "copies"
    copies.mkdir()
    assert load_plugin(write(copies, MINE.format(name="mine"))) == ["schedules.mine"]


def test_an_edited_plugin_replaces_its_earlier_self(tmp_path):
    """In a notebook the file is edited and loaded again: the newer text counts."""
    load_plugin(write(tmp_path, MINE.format(name="mine")))
    first = schedules.get("mine")
    assert load_plugin(write(tmp_path, "x = 1\n" + MINE.format(name="mine"))) == ["schedules.mine"]
    assert schedules.get("mine") is not first


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0\n", "line 1: ZeroDivisionError"),
        ("def broken(:\n", "line 1: SyntaxError"),
        ("x = 1\n", "it registers no name"),
    ],
)
def test_a_plugin_that_fails_says_where(tmp_path, body, said):
    """A failing file is named with the line and the reason; one that registers nothing is a mistake too."""
    with pytest.raises(PluginError, match=rf"plug-in .*mine\.py — {said}"):
        load_plugin(write(tmp_path, body))


def test_a_plugin_that_fails_half_way_leaves_nothing(tmp_path):
    """Names entered before the failure are taken back, so that the mended file can be loaded."""
    file = write(tmp_path, MINE.format(name="mine") + "\nraise RuntimeError('no')\n")
    with pytest.raises(PluginError, match="line 8: RuntimeError: no"):
        load_plugin(file)
    assert "mine" not in schedules.names()


def test_a_missing_plugin_is_named(tmp_path):
    """A path without a file is an error about that path."""
    with pytest.raises(PluginError, match="no such file"):
        load_plugin(tmp_path / "none.py")


def test_a_plugin_cannot_take_a_builtin_name(tmp_path):
    """A taken name is refused with both places."""
    with pytest.raises(DuplicateName, match=r"constant.*built-in.*mine\.py"):
        load_plugin(write(tmp_path, MINE.format(name="constant")))
