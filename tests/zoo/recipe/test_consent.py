"""Whose code may run."""

import sys
from pathlib import Path

import pytest

from zoo.errors import RecipeError
from zoo.recipe.consent import consented
from zoo.recipe.load import load

CODE = """
from pathlib import Path
from registry import schedules

Path(__file__).with_suffix(".ran").write_text("once")

@schedules.register("{name}")
class Mine:
    '''A schedule of one's own.'''
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plug-in that leaves a mark beside itself when it is run."""
    file = tmp_path / "mine.py"
    file.write_text(CODE.format(name=f"schedule-{tmp_path.name}"))
    return file


def ran(file: Path) -> bool:
    return file.with_suffix(".ran").exists()


def test_a_recipe_runs_nothing_by_itself(plugin, tmp_path):
    """The error names the file and the option, and the file was not run."""
    (tmp_path / "evil.yaml").write_text("extends: hello\nplugins: [mine.py]\n")
    with pytest.raises(RecipeError) as caught:
        load(tmp_path / "evil.yaml")
    assert str(plugin) in str(caught.value)
    assert "--allow-plugins" in str(caught.value) and "allow_plugins=True" in str(caught.value)
    assert not ran(plugin)
    assert load(tmp_path / "evil.yaml", allow_plugins=True).plugins == (str(plugin),)
    assert ran(plugin)


@pytest.mark.parametrize(
    "overrides", [{"plugins": ["mine.py"]}, ["plugins=[mine.py]"], {"plugins": "mine.py"}, ["plugins.0=mine.py"]]
)
def test_an_override_is_no_consent(plugin, overrides, monkeypatch):
    """Changes come from studies too; only plug-ins that are given as such are run."""
    monkeypatch.chdir(plugin.parent)
    with pytest.raises(RecipeError, match="plugins"):
        load("hello", overrides)
    assert not ran(plugin)


def test_a_parent_runs_nothing_either(plugin, tmp_path):
    """What a recipe inherits is not its user's word."""
    (tmp_path / "parent.yaml").write_text("extends: hello\nplugins: [mine.py]\n")
    (tmp_path / "child.yaml").write_text("extends: parent\n")
    with pytest.raises(RecipeError, match=r"mine\.py"):
        load(tmp_path / "child.yaml")
    assert not ran(plugin)


def test_a_file_that_the_user_names_is_allowed(plugin, tmp_path, monkeypatch):
    """By whatever path, through a link as well; it is run once, and stands in the recipe once."""
    (tmp_path / "mine.yaml").write_text("extends: hello\nplugins: [mine.py]\n")
    (tmp_path / "link.py").symlink_to(plugin)
    monkeypatch.chdir(tmp_path)
    for named in ("mine.py", plugin, "../" + tmp_path.name + "/mine.py"):
        assert load("mine.yaml", plugins=[named]).plugins == (str(plugin),)
    assert load("mine.yaml", plugins=["link.py"]).plugins == (str(tmp_path / "link.py"),)
    assert ran(plugin)


def test_consent_to_one_file_is_none_to_another(plugin, tmp_path):
    """The other is named alone, and neither is run."""
    (tmp_path / "other.py").write_text(CODE.format(name="other"))
    (tmp_path / "mine.yaml").write_text("extends: hello\nplugins: [mine.py, other.py]\n")
    with pytest.raises(RecipeError) as caught:
        load(tmp_path / "mine.yaml", plugins=[plugin])
    assert "other.py" in str(caught.value)
    assert "mine.py" not in str(caught.value).split("plugins — ")[1].split("expected")[0]
    assert not ran(plugin) and not ran(tmp_path / "other.py")


def test_a_copy_with_the_same_bytes_is_the_file_itself(plugin, tmp_path):
    """A run's copy of a plug-in needs no second word, and the user's file is the one that is run."""
    copy = tmp_path / "run" / "plugins" / "mine.py"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(plugin.read_bytes())
    found = consented([copy], [plugin], allow=False, recipe="x")
    assert found == [plugin]
    copy.write_text(copy.read_text() + "# changed\n")
    with pytest.raises(RecipeError, match=r"run/plugins/mine\.py"):
        consented([copy], [plugin], allow=False, recipe="x")


def test_a_recipe_that_was_loaded_keeps_its_consent(plugin):
    """Changes to it are made without asking again, and can take the plug-in away, but bring no other in."""
    recipe = load("hello", plugins=[plugin])
    assert load(recipe, {"model.depth": 3}).plugins == (str(plugin),)
    assert load(recipe, {"plugins": []}).plugins == ()
    with pytest.raises(RecipeError, match=r"other\.py"):
        load(recipe, {"plugins": [str(plugin), str(plugin.with_name("other.py"))]})


@pytest.mark.parametrize("named", ["~nobody-of-that-name/x.py", "\ud800.py", "x" * 5000, "/dev/zero", "/proc/self/mem"])
def test_files_that_are_none_are_refused_before_they_are_read(named):
    """Nothing is waited for, and the name is shown as it is written."""
    with pytest.raises(RecipeError, match="plugins"):
        consented([named], [Path(sys.executable)], allow=False, recipe="x")
