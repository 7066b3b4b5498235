"""From a name and what is typed after it to a recipe."""

import sys
from pathlib import Path

import numpy as np
import pytest

from registry import PluginError
from zoo.errors import RecipeError
from zoo.recipe.load import allowed_plugins, load

DEEP = "model={name: gat} resets model.depth 64 → 2"


def test_a_shipped_recipe_loads_by_name():
    """A name from the list becomes a checked recipe of that name."""
    recipe = load("hello")
    assert (recipe.name, recipe.model.options["depth"]) == ("hello", 64)


def test_typed_and_mapped_overrides_agree():
    """`["a.b=1"]` and `{"a.b": 1}` give the same recipe, and another identity than the unchanged one."""
    typed = load("hello", ["model.depth=8", "normalizer=none"])
    assert typed == load("hello", {"model.depth": 8, "normalizer": "none"})
    assert typed.identity() != load("hello").identity()


def test_an_overridden_recipe_does_not_carry_the_measured_figures():
    """Figures belong to the recipe as shipped, not to what is made from it."""
    assert load("cora-gcn", {"model.dropout": 0.1}).measured is None


def test_a_bare_name_drops_the_options_of_the_other():
    """`normalizer=none` over a Frobenius recipe leaves no c behind."""
    assert load("hello", ["normalizer=none"]).normalizer[0].options.get("c") is None


def test_unknown_recipe_suggests_the_nearest():
    """A misspelled recipe is an error with the nearest name."""
    with pytest.raises(RecipeError, match="did you mean 'hello'"):
        load("helo")


def test_problems_of_overrides_and_recipe_come_together():
    """What is wrong on the command line and in the file is one list."""
    with pytest.raises(RecipeError) as caught:
        load("hello", ["model.depht=8", "~clip", "seeds=[1"])
    assert len(caught.value.problems) == 3


def test_plugins_are_run_before_the_check(tmp_path):
    """A name that only the plug-in knows is right when the plug-in is given, and recorded with its path."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from registry import normalizers\nfrom zoo.normalizers import WeightNormalizer\n\n"
        "@normalizers.register('halve')\nclass Halve(WeightNormalizer):\n"
        "    def normalize(self, weight):\n        return weight / 2\n"
    )
    recipe = load("hello", {"normalizer": "halve"}, [plugin])
    assert recipe.plugins == (str(plugin),)
    with pytest.raises(PluginError, match="no such file"):
        load("hello", {"plugins": [str(tmp_path / "none.py")]}, allow_plugins=True)


def test_loading_a_recipe_object_keeps_it():
    """A `Recipe` passes through unchanged."""
    recipe = load("hello")
    assert load(recipe) == recipe


def test_what_cannot_be_overridden_is_refused_and_not_dropped():
    """`extends=…` on the command line comes too late; it is an error, not silently ignored."""
    with pytest.raises(RecipeError, match="extends — unknown key"):
        load("hello", ["extends=cora-gcn"])
    assert load("hello", ["description=mine"]).description == "mine"


@pytest.mark.parametrize("plugins", ["[3]", "none.py", "{a: 1}"])
def test_plugins_of_any_shape_are_files_or_an_error(plugins, tmp_path):
    """Numbers, a bare name and a mapping where a list of files belongs end in the one error about that file."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: hello\nplugins: {plugins}\n")
    with pytest.raises(PluginError, match="no such file"):
        load(file, allow_plugins=True)


@pytest.mark.parametrize(
    "overrides", [{".".join("a" * 1000): 1}, [".".join("a" * 1000) + "=1"], ["~" + ".".join("a" * 1000)]]
)
def test_a_path_without_end_is_refused(overrides):
    """It would be followed one call inside the other."""
    with pytest.raises(RecipeError, match="a path of 1000 words — expected at most 32"):
        load("hello", overrides)


@pytest.mark.parametrize(
    "override",
    ["model.depth=1000000000000", "model.width=1000000000000", "dataset.nodes=1000000000000", "seeds=[99999999999]"],
)
def test_numbers_that_no_machine_holds_are_refused(override):
    """Where there is a sensible bound, it is held before anything is made."""
    with pytest.raises(RecipeError, match="is not valid — expected less than"):
        load("hello", [override])


def test_a_name_in_a_recipe_is_a_folders_and_not_inherited(tmp_path):
    """It is held against the rules of names wherever it comes from, and is no change that one types."""
    (tmp_path / "mine.yaml").write_text("extends: hello\nname: ../../x\n")
    with pytest.raises(RecipeError, match=r"name — .* would leave its folder"):
        load(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("extends: hello\nname: other\n")
    (tmp_path / "child.yaml").write_text("extends: mine\n")
    assert (load(tmp_path / "mine.yaml").name, load(tmp_path / "child.yaml").name) == ("other", "child")
    with pytest.raises(RecipeError, match="name — unknown key"):
        load(tmp_path / "mine.yaml", ["name=x"])


def test_numbers_of_numpy_are_numbers():
    """What a sweep over `np.arange` hands over is what one would type."""
    given = {"model.depth": np.int64(3), "normalizer.c": np.float32(0.5), "training.patience": np.int64(5)}
    typed = ["model.depth=3", "normalizer.c=0.5", "training.patience=5"]
    assert load("hello", given).identity() == load("hello", typed).identity()
    with pytest.raises(RecipeError, match=r"model\.depth — True is not valid"):
        load("hello", {"model.depth": np.bool_(True)})


def test_one_change_and_one_plugin_need_no_list(tmp_path):
    """A text is one of them, not its letters."""
    (tmp_path / "mine.py").write_text(
        "from registry import schedules\n@schedules.register('alone')\nclass Mine:\n    '''Mine.'''\n"
    )
    assert load("hello", "model.depth=3").identity() == load("hello", ["model.depth=3"]).identity()
    for plugins in (str(tmp_path / "mine.py"), tmp_path / "mine.py"):
        assert load("hello", plugins=plugins).plugins == (str(tmp_path / "mine.py"),)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=res-gat"], ["model=res-gat resets model.depth 64 → 2"]),
        (["model=res-gat", "model.depth=4"], []),
        (["model.depth=4"], []),
        (["normalizer=none"], []),  # whose c is gone with it
        (["training={duration: 5}"], ["training={duration: 5} resets training.patience 100 epochs → null"]),
        (["optimizer=sgd", "model={name: gat}"], ["optimizer=sgd resets optimizer.lr 0.005 → 0.1", DEEP]),
    ],
)
def test_what_a_change_sets_back_is_told(typed, said, tmp_path):
    """Options that were written, that the new component has too, and that nobody asked to be changed."""
    (tmp_path / "mine.yaml").write_text("extends: hello\ntraining: {patience: 100 epochs}\n")
    recipe = load(tmp_path / "mine.yaml", typed)
    assert sorted(recipe.resets) == sorted(said)
    assert load(recipe, {"execution.device": "cpu"}).resets == recipe.resets


def test_a_recipe_says_what_was_changed_of_it():
    """As typed, the last of each path, also after several changes; what changes no result is no change of it."""
    typed = load("smoke/res-gcn", ["model.depth=3", "dataset=karate", "execution.threads=1", "probes=none"])
    assert typed.changes == ("dataset=karate", "model.depth=3")
    given = load(typed, {"model.depth": 5, "normalizer": {"name": "frobenius", "c": 1}, "seeds": [1]})
    assert given.changes == ("dataset=karate", "model.depth=5", "normalizer=frobenius", "normalizer.c=1")
    assert load("smoke/res-gcn").changes == ()
    same = load("smoke/res-gcn", ["seeds=[0]"])
    assert load("smoke/res-gcn", ["model.depth=4", "seeds=[0]"]) == same, "how it came about makes it no other recipe"


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
    found = allowed_plugins([copy], [plugin], allow=False, recipe="x")
    assert found == [plugin]
    copy.write_text(copy.read_text() + "# changed\n")
    with pytest.raises(RecipeError, match=r"run/plugins/mine\.py"):
        allowed_plugins([copy], [plugin], allow=False, recipe="x")


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
        allowed_plugins([named], [Path(sys.executable)], allow=False, recipe="x")
