"""The check of damaged files, in short, and that it would see what it looks for."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import corrupted
from hostile.damage import damage
from hostile.guard import Ended
from hostile.pool import FAILED
from hostile.sandbox import Sandbox, changes, digests
from zoo.errors import RunError

SCRIPT = Path(corrupted.__file__)


def test_twenty_damaged_files_are_refused_or_read():
    """Runs, states, studies and data sets: a message, a right answer, or a figure that nothing vouches for."""
    words = [sys.executable, str(SCRIPT), "--count", "20", "--seed", "2", "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout


def test_damage_is_done_to_one_file_and_can_be_repeated(tmp_path):
    """The same seed does the same to the same files, and to no more than the two that are swapped."""
    found = []
    for name in ("a", "b"):
        for number in range(40):
            folder = tmp_path / name / str(number)
            folder.mkdir(parents=True)
            (folder / "one.json").write_text('{"a": [1, 2], "b": {"c": null}}')
            (folder / "two.txt").write_text("1, 2\n3, 4\n")
            (folder / "three").write_bytes(bytes(range(256)))
            before = digests(folder)
            done, file = damage(random.Random(number), folder)
            after = digests(folder)
            assert sum(before[key] != after.get(key) for key in before) <= 2
            found.append((done, file.name, after))
    assert found[:40] == found[40:]


def _raises(error):
    def read():
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda: 0.5, "read"),
        (_raises(RunError("result.json — cannot be read — expected JSON")), "refused"),
        (_raises(RunError("it is broken")), FAILED),  # neither what nor where
        (_raises(KeyError("seed")), FAILED),
        (_raises(RecursionError()), FAILED),
        (lambda: Ended(2, "", "error: result.json — cannot be read"), "refused"),
        (lambda: Ended(1, "", ""), FAILED),
        (lambda: Ended(2, "", "error: \x07 — x"), FAILED),
    ],
)
def test_what_is_promised_is_what_is_judged(read, outcome):
    """A trace, another exit code, a message without a place or with what a terminal obeys: each is a failure."""
    assert corrupted._judge(read)[0] == outcome


def test_a_stray_file_is_seen(tmp_path):
    """What appears in the working directory, the home or the temporary folder, and what is written to, is told."""
    sandbox = Sandbox(tmp_path)
    kept = sandbox.around["home"] / "kept"
    kept.write_text("a")
    before = sandbox.listing()
    with sandbox.entered():
        Path("stray").touch()
    kept.write_text("bb")
    (sandbox.runs / "allowed").touch()
    assert changes(before, sandbox.listing()) == ["home/kept was written to", "work/stray appeared"]
