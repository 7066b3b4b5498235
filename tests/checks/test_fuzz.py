"""Fuzzing in short, and that it would see a crash."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import fuzz
from hostile.targets import TARGETS

SCRIPT = Path(fuzz.__file__)
needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has wheels for Python 3.11 and later on x86-64 alone"
)


@pytest.mark.parametrize("name", TARGETS)
def test_a_corpus_and_junk_are_read_or_refused(name):
    """Every target takes what is right, what is cut off and what is no such file without another error than its own."""
    for right in TARGETS[name].corpus()[:3]:
        for data in (right, right[: len(right) // 2], right[::-1], b"", b"\xff\xfe\x00"):
            TARGETS[name].run(data)


@needs_atheris
def test_a_short_fuzzing_finds_nothing(tmp_path):
    """Two seconds of what is quickest to start end without a crash, having tried more than the corpus."""
    words = [sys.executable, str(SCRIPT), "--seconds", "2", "--targets", "pickle", "--crashes", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@needs_atheris
def test_a_crash_is_kept_and_can_be_repeated(tmp_path):
    """A reader that raises something of its own: exit code 1, and the input in a file that repeats it."""
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import hostile.targets as t\n"
        "def run(data):\n    raise KeyError('seed')\n"
        "t.TARGETS['pickle'] = t.Fuzzed(run, lambda: [])\n"
        "import fuzz, sys\n"
        "fuzz.__file__ = __file__\n"
        "sys.exit(fuzz.main())\n"
    )
    words = [sys.executable, str(broken), "--seconds", "1", "--targets", "pickle", "--crashes", str(tmp_path / "found")]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(SCRIPT.parent), "PATH": ""}
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "KeyError" in done.stdout
    assert [file.name.startswith("pickle-crash-") for file in (tmp_path / "found").iterdir()] == [True]


def test_without_atheris_it_says_what_is_missing(capsys):
    """One message with the command to mend it, and exit code 2."""
    with mock.patch.object(importlib.util, "find_spec", lambda name: None):
        assert fuzz.main(["--seconds", "1"]) == 2
    assert "fuzz — atheris is not installed — expected" in capsys.readouterr().err
