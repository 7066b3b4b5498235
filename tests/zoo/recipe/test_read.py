"""Recipe files and their parents."""

import pytest

from zoo.errors import RecipeError
from zoo.recipe.read import read


def write(folder, name, content):
    (folder / f"{name}.yaml").write_text(content)
    return folder / f"{name}.yaml"


def test_a_parent_lies_beside_or_among_the_shipped(tmp_path):
    """`extends` finds a file beside the child first, then a shipped recipe."""
    write(tmp_path, "parent", "extends: hello\nmodel: {depth: 8}\n")
    name, tree = read(write(tmp_path, "child", "extends: parent\nmodel: {width: 16}\n"))
    assert name == "child"
    assert tree["model"] == {"name": "res-gcn", "depth": 8, "width": 16}


def test_description_and_figures_are_not_inherited(tmp_path):
    """A child of a described and measured recipe starts without either."""
    write(
        tmp_path, "parent", "description: of the parent\nmeasured: {test: 0.5, seeds: [0], command: x}\ndataset: cora\n"
    )
    _, tree = read(write(tmp_path, "child", "extends: parent\n"))
    assert tree == {"dataset": "cora"}


def test_a_circle_is_named(tmp_path):
    """Recipes that extend each other are an error that shows the chain."""
    write(tmp_path, "a", "extends: b\n")
    write(tmp_path, "b", "extends: a\n")
    with pytest.raises(RecipeError, match="a → b → a"):
        read(tmp_path / "a.yaml")


def test_a_missing_parent_is_named(tmp_path):
    """The error stands at `extends` and suggests the nearest."""
    with pytest.raises(RecipeError, match=r"extends — no recipe 'helo' .*did you mean 'hello'"):
        read(write(tmp_path, "child", "extends: helo\n"))


def test_plugins_are_relative_to_the_file_that_names_them(tmp_path):
    """A recipe and its plug-in can move together."""
    _, tree = read(write(tmp_path, "child", "plugins: [mine.py]\n"))
    assert tree["plugins"] == [str(tmp_path / "mine.py")]


@pytest.mark.parametrize("escape", ["../pyproject", "/etc/hostname", "_base/../../x"])
def test_a_name_cannot_leave_the_folder(escape):
    """Names with dots and slashes reach no file outside the shipped recipes."""
    with pytest.raises(RecipeError, match="no such recipe"):
        read(escape)
