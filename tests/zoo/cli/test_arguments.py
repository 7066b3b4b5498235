"""Words and seeds."""

import re
from inspect import signature
from pathlib import Path

import pytest
import typer

from zoo.cli.arguments import RecipeOptions, command, is_override, parse_seeds, split_words
from zoo.errors import RecipeError
from zoo.recipe.load import load
from zoo.runs.folder import RunFolder
from zoo.runs.record import Environment


@pytest.mark.parametrize(
    ("written", "seeds"), [("0..4", [0, 1, 2, 3, 4]), ("3", [3]), ("0,2,7..9", [0, 2, 7, 8, 9]), ("1,1..2", [1, 2])]
)
def test_seeds_are_ranges_and_lists(written, seeds):
    """Both ends count, and no seed is run twice."""
    assert parse_seeds(written) == seeds


@pytest.mark.parametrize("wrong", ["", "a", "4..0", "1..", "-1", "1;2"])
def test_what_is_no_list_of_seeds_is_refused(wrong):
    """The error shows the right form."""
    with pytest.raises(typer.BadParameter, match="expected"):
        parse_seeds(wrong)


def test_overrides_are_told_from_recipes():
    """`=` and `~` make an override wherever they stand."""
    assert split_words(["a", "x=1", "b", "~y"]) == (["a", "b"], ["x=1", "~y"])
    with pytest.raises(RecipeError, match="at least one recipe"):
        split_words(["x=1"])


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("model.depth=3", True),
        ("~training.clip", True),
        ("dataset.file=graph.yaml", True),
        ("dataset=cora", True),  # though there is a folder of that name
        ("a=b/recipe.yaml", False),
        ("a=b/none.yaml", False),
        ("model=x.yaml", False),  # which is there
        ("./model.depth=3/x.yaml", False),
        ("~/mine.yaml", False),
        ("a=b/seed-0", False),
    ],
)
def test_an_equals_sign_in_a_path_is_no_override(word, is_one, tmp_path, monkeypatch):
    """Recipes and run folders may have `=` and `~` in their paths; what names a part of a recipe is a change of it."""
    monkeypatch.chdir(tmp_path)
    for folder in ("a=b/seed-0", "dataset=cora"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("a=b/recipe.yaml", "model=x.yaml"):
        (tmp_path / file).write_text("")
    assert is_override(word) is is_one


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["hello", "model.depth", "=", "8"], "model.depth=8"),
        (["hello", "model.depth", "=8"], "model.depth=8"),
        (["hello", "model.depth=", "8"], "model.depth=8"),
        (["hello", "training.clip="], "training.clip=VALUE"),
    ],
)
def test_spaces_around_the_sign_are_told(words, right):
    """A shell hands over several words; the error has the one that was meant."""
    with pytest.raises(typer.BadParameter, match=f"expected {re.escape(right)}"):
        split_words(words)


def test_a_home_that_no_shell_put_in_place_is_the_users(zoo_here, tmp_path, monkeypatch):
    """`--runs=~/x` is no folder called `~`, for each verb that is given paths."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert zoo_here("train", "smoke/res-gcn", "training.duration=2", "--runs=~/r", "-q").code == 0
    assert zoo_here("copy", "hello", "~/mine.yaml").code == 0
    assert zoo_here("evaluate", "~/r", "--output=~/found.npz").code == 0
    (path,) = (tmp_path / "home" / "r").rglob("seed-0")
    assert zoo_here("plot", str(path).replace(str(tmp_path / "home"), "~"), "--to=~/p", "--format=svg").code == 0
    assert zoo_here("compare", "~/r").code == 0
    assert zoo_here("validate", "~/mine.yaml").code == 0
    assert sorted(place.name for place in tmp_path.iterdir()) == ["home"]
    assert {"found.npz", "mine.yaml", "p", "r"} <= {place.name for place in (tmp_path / "home").iterdir()}


@pytest.mark.parametrize("wrong", ["0..999999999", "9" * 5000, "0..99999,200000"])
def test_seeds_without_end_are_refused(wrong):
    """Neither a list that fills the memory is made, nor a number of thousands of digits read."""
    with pytest.raises(typer.BadParameter, match="expected"):
        parse_seeds(wrong)


def test_a_block_of_options_stands_in_the_place_of_its_parameter():
    """A dataclass is handed over whole; typer sees its fields, with their defaults, between the verb's own."""
    seen = []

    def verb(asked: RecipeOptions, number: int = 3) -> None:
        """Do it."""
        seen.append((asked, number))

    made = command(verb)
    assert list(signature(made).parameters) == ["plugin", "allow_plugins", "words", "number"]
    assert made.__doc__ == "Do it."
    made(words=["hello"], plugin=[Path("x.py")], allow_plugins=True, number=4)
    assert seen == [(RecipeOptions(words=["hello"], plugin=[Path("x.py")], allow_plugins=True), 4)]
    assert seen[0][0].allowed == {"plugins": [Path("x.py")], "allow_plugins": True}


EVIL = """
from pathlib import Path
from registry import schedules

(Path.cwd() / "ran").write_text("")

@schedules.register("evil")
class Evil:
    '''Leaves a mark.'''
"""


@pytest.fixture
def evil(tmp_path, monkeypatch, a_record) -> Path:
    """A folder with a recipe, a study and a run that each name a plug-in, which leaves a mark where it is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / "evil.yaml").write_text("extends: smoke/res-gcn\nplugins: [evil.py]\n")
    (tmp_path / "child.yaml").write_text("extends: evil\n")
    (tmp_path / "study.yaml").write_text("base: smoke/res-gcn\nplugins: [evil.py]\nseeds: [0]\n")
    (tmp_path / "of-evil.yaml").write_text("base: evil.yaml\nseeds: [0]\n")
    recipe = load("smoke/res-gcn", plugins=[tmp_path / "evil.py"])
    (tmp_path / "ran").unlink(missing_ok=True)
    record = RunFolder(tmp_path / "run")
    record.describe(recipe, Environment())
    record.measured({"epoch": 1, "step": 1, "loss": 0.5, "val": 0.5, "best_val": 0.5, "lr": 0.1, "seconds": 0.1})
    record.finish({}, a_record(recipe="evil", identity="0" * 12))
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "train evil.yaml",
        "train child.yaml",
        "train evil.yaml --together probes=none",
        "train smoke/res-gcn plugins=[evil.py]",
        "train run/recipe.yaml",
        "show evil.yaml",
        "show run/recipe.yaml",
        "validate evil.yaml",
        "validate child.yaml",
        "probe evil.yaml",
        "probe run",
        "evaluate run",
        "study run study.yaml",
        "study status of-evil.yaml",
        "study table study.yaml",
        "study plot of-evil.yaml",
        "compare study.yaml",
        "compare of-evil.yaml",
    ],
)
def test_no_verb_runs_what_a_file_names(evil, zoo_here, words):
    """Exit code 2, the file and the option in the message, and nothing was run or written."""
    before = sorted(evil.rglob("*"))
    done = zoo_here(*words.split())
    assert done.code == 2
    assert "evil.py — expected --allow-plugins" in done.err
    assert sorted(evil.rglob("*")) == before


@pytest.mark.parametrize("words", ["plot run", "compare run", "copy evil.yaml copied.yaml"])
def test_verbs_that_need_no_plugin_run_none(evil, zoo_here, words):
    """Pictures, comparisons and copies are made of records and text alone."""
    assert zoo_here(*words.split()).code == 0
    assert not (evil / "ran").exists()


@pytest.mark.parametrize("consent", ["--allow-plugins", "--plugin evil.py"])
@pytest.mark.parametrize(
    "words",
    [
        "show evil.yaml",
        "validate child.yaml",
        "show run/recipe.yaml",
        "study status study.yaml",
        "study status of-evil.yaml",
    ],
)
def test_the_users_word_is_consent(evil, zoo_here, words, consent):
    """The option, or the file by its name, also where the run has a copy of it."""
    done = zoo_here(*words.split(), *consent.split())
    assert (done.code, done.err) == (0, "")
