"""Shipped recipes: all there, all right."""

import pytest

from zoo.errors import RecipeError
from zoo.recipe import recipe_files, yaml_text
from zoo.recipe.load import load
from zoo.recipe.recipe_files import is_change, is_recipe, is_study, read

DATA = ("cora", "citeseer", "chameleon", "squirrel")
EXPECTED = {
    "hello",
    "hello-without",
    "cora-gcn",
    "cora-gat",
    "cora-gcn-64",
    "cora-res-gcn-512",
    *(f"{data}-res-{conv}-64" for data in DATA for conv in ("gcn", "gat")),
}


def test_the_promised_recipes_are_shipped():
    """Names that documentation and studies rely on exist."""
    assert set(recipe_files.names()) >= EXPECTED


@pytest.mark.parametrize("name", recipe_files.names())
def test_every_shipped_recipe_is_right_and_described(name):
    """Each loads without a problem, says what it is, and begins with a command that runs it."""
    assert load(name).description
    file = recipe_files.find(name)
    assert file is not None
    command, *_ = file.read_text().splitlines()
    assert command.startswith("# zoo train")
    assert name in command.split()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_measured_figures_stand_in_the_header(name):
    """Every full recipe carries the figure it reached and the command that gave it."""
    measured = load(name).measured
    assert measured is not None
    assert measured.command.startswith(f"zoo train {name}")


def test_what_ships_is_told_apart():
    """Every shipped recipe is one, every shipped study is one, and none is both."""
    for name in recipe_files.names():
        file = recipe_files.find(name)
        assert file
        tree = yaml_text.read(file)
        assert (is_recipe(tree), is_study(tree)) == (True, False), name
    for name in recipe_files.studies():
        file = recipe_files.study(name)
        assert file
        tree = yaml_text.read(file)
        assert (is_recipe(tree), is_study(tree)) == (False, True), name


@pytest.mark.parametrize("keys", [(), ("seeds",), ("base", "model"), ("vary", "extends"), ("nonsense",)], ids=str)
def test_what_may_be_either_is_neither(keys):
    """An empty mapping, what both have, and a mixture are left to whoever checks them."""
    tree = dict.fromkeys(keys)
    assert not is_recipe(tree)
    assert not is_study(tree)


def test_a_path_without_its_value_is_known():
    """`model.depth` is what somebody wanted to change; a recipe's file or another word is not."""
    assert is_change("model.depth")
    assert is_change("normalizer")
    assert not any(map(is_change, ("model.yaml", "hello", "depth", "")))


def write(folder, name, content):
    (folder / f"{name}.yaml").write_text(content)
    return folder / f"{name}.yaml"


def test_a_parent_lies_beside_or_among_the_shipped(tmp_path):
    """`extends` finds a file beside the child first, then a shipped recipe."""
    write(tmp_path, "parent", "extends: hello\nmodel: {depth: 8}\n")
    name, tree = read(write(tmp_path, "child", "extends: parent\nmodel: {width: 16}\n"))
    assert name == "child"
    assert tree["model"] == {"name": "res-gcn", "depth": 8, "width": 16}


def test_a_parents_path_is_relative_to_the_file_that_names_it(tmp_path, monkeypatch):
    """Wherever one stands: with either ending, above, and through `~`; nothing is taken from the working directory."""
    (tmp_path / "proj").mkdir()
    (tmp_path / "other").mkdir()
    for place, width in (("proj/base.yaml", 32), ("proj/short.yml", 16), ("top.yaml", 8), ("other/base.yaml", 99)):
        (tmp_path / place).write_text(f"extends: smoke/res-gcn\nmodel: {{width: {width}}}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "other")
    for parent, width in (("base.yaml", 32), ("base", 32), ("short.yml", 16), ("short", 16), ("../top.yaml", 8)):
        assert read(write(tmp_path / "proj", "child", f"extends: {parent}\n"))[1]["model"]["width"] == width
    assert read(write(tmp_path / "proj", "child", "extends: ~/top.yaml\n"))[1]["model"]["width"] == 8
    (tmp_path / "proj" / "base.yaml").unlink()
    with pytest.raises(RecipeError, match=r"no recipe 'base\.yaml' beside this file$"):
        read(write(tmp_path / "proj", "child", "extends: base.yaml\n"))


def test_a_link_is_the_recipe_of_its_own_name_and_place(tmp_path):
    """Stores keep files under their digests: the name and the parents are those beside the link."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "3f2a9c").write_text("extends: base\nplugins: [mine.py]\n")
    (tmp_path / "child.yaml").symlink_to("store/3f2a9c")
    write(tmp_path, "base", "extends: hello\nmodel: {depth: 8}\n")
    name, tree = read(tmp_path / "child.yaml")
    assert (name, tree["model"]["depth"]) == ("child", 8)
    assert tree["plugins"] == [str(tmp_path / "mine.py")]


@pytest.mark.parametrize("name", ["../x", "3", "[a]", "''"])
def test_a_name_that_is_no_folders_is_refused(tmp_path, name):
    """A recipe that names itself may not leave the folder of the runs either."""
    with pytest.raises(RecipeError, match="name — "):
        read(write(tmp_path, "child", f"extends: hello\nname: {name}\n"))


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


def test_a_long_line_of_parents_is_refused(tmp_path):
    """32 recipes may extend one another, and no more; the message names the first."""
    write(tmp_path, "r0", "extends: hello\n")
    for number in range(1, 40):
        write(tmp_path, f"r{number}", f"extends: r{number - 1}\n")
    assert read(tmp_path / "r29.yaml")[1]["model"]
    with pytest.raises(RecipeError, match=r"r39\.yaml — 1 problem:\n  extends — more than 32"):
        read(tmp_path / "r39.yaml")


@pytest.mark.parametrize("stem", ["..", ".", "a\nb", "a\x1b[31m", "a\\b"])
def test_a_file_whose_name_is_no_folders_is_refused(tmp_path, stem):
    """Runs lie in a folder of the recipe's name, which may not be one above."""
    with pytest.raises(RecipeError, match="rename the file"):
        read(write(tmp_path, stem, "extends: hello\n"))


@pytest.mark.parametrize(
    "parent", ["'a\\tb'", "[a]", "{a: 1}", "x" * 5000, "../../../etc/passwd", "~nobody-here/x.yaml"]
)
def test_a_parent_that_is_none_is_refused(tmp_path, parent):
    """Whatever stands there, the error stands at `extends`."""
    with pytest.raises(RecipeError, match="extends — no recipe"):
        read(write(tmp_path, "child", f"extends: {parent}\n"))


@pytest.mark.parametrize("name", ["a\x00b", "a\x00b.yaml", "x" * 5000, "x" * 5000 + ".yaml", "~nobody-here/x.yaml", ""])
def test_names_that_no_file_can_have_are_no_recipes(name):
    """Too long, with a NUL, of nobody: the one error about a recipe that is not there."""
    with pytest.raises(RecipeError, match="no such recipe"):
        read(name)
