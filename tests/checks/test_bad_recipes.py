"""The check of bad recipes, in short, and that it would see what it looks for."""

import random
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import bad_recipes
from hostile.guard import Ended, Hang
from hostile.pool import FAILED
from hostile.recipes import Bad, bad
from zoo.errors import Problem, RecipeError

SCRIPT = Path(bad_recipes.__file__)


def test_fifty_bad_recipes_are_refused_or_accepted():
    """Each of them, from YAML that is none to studies with junk in them, ends with a message or is right after all."""
    words = [sys.executable, str(SCRIPT), "--count", "50", "--seed", "1", "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout


def test_a_number_gives_the_same_again(tmp_path):
    """What is reported can be repeated: question and files are those of the seed and the number."""
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(20):
            folder = tmp_path / name / str(number)
            folder.mkdir()
            asked = bad(random.Random(f"0/{number}"), folder)
            files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
            text = repr((asked, sorted(files.items()))).replace(str(tmp_path / name), "")
            made.append(text)
    assert made[:20] == made[20:]


def _raises(error):
    def command(words):
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (lambda words: Ended(0, "", ""), "accepted"),
        (lambda words: Ended(2, "", "error: recipe bad — 1 problem:\n  model — missing\n"), "refused"),
        (lambda words: Ended(2, "", "error: recipe bad — 1 problem:\n  task — missing\n"), FAILED),  # another place
        (lambda words: Ended(2, "", "error: something is wrong with model\n"), FAILED),  # neither what nor where
        (lambda words: Ended(2, "", "error: model — \x1b[31mred\n"), FAILED),
        (lambda words: Ended(2, "", "error: model — " + "x" * 50_000), FAILED),
        (lambda words: Ended(1, "", "error: model — wrong\n"), FAILED),
        (_raises(KeyError("model")), FAILED),
        (_raises(MemoryError()), FAILED),
        (_raises(Hang("late")), FAILED),
        (_raises(RecipeError("bad", [Problem("model", "missing")])), FAILED),  # the command has to say it itself
    ],
)
def test_what_is_promised_is_what_is_judged(command, outcome):
    """A trace, a hang, a message without its place or with what a terminal obeys: each is a failure."""
    with mock.patch.object(bad_recipes, "command", command):
        assert bad_recipes._said(["validate", "bad"], Bad("values", ["validate", "bad"], ("model",)))[0] == outcome
