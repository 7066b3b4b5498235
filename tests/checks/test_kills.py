"""The check of kills finds nothing wrong, and would find it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[2] / "checks" / "kills.py"


def checked(*words: str) -> "subprocess.CompletedProcess[str]":
    """The check in a process of its own: it forks, which a process with threads had better not."""
    return subprocess.run(
        [sys.executable, str(CHECK), *words], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(
    "words", [("--kills", "2", "--kinds", "sampled"), ("--at-saves", "--stride", "20", "--kinds", "sampled")]
)
def test_killed_runs_end_as_if_they_had_not_been(words):
    """At random moments and at calls that write: every run ends exactly as the one without a kill."""
    done = checked(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    _, kills, resumed, anew, runs, exact = done.stdout.splitlines()[-1].split()[-6:]
    assert int(resumed) + int(anew) <= int(kills)
    assert int(kills) >= 2
    assert int(runs) == int(exact) > 0


def test_a_difference_is_found(tmp_path):
    """One digit of one line, one bit of the weights, a file too many: each is named, but not the time that passed."""
    import kills

    def run(name, **changes):
        folder = tmp_path / name / "recipe" / "identity" / "seed-0"
        folder.mkdir(parents=True)
        row = {"step": 1, "val": 0.5, "seconds": 0.25, **changes.get("row", {})}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        (folder / "model.safetensors").write_bytes(changes.get("weights", b"\x00"))
        (folder / "result.json").write_text(json.dumps({"test": 0.5, "seconds_with_setup": changes.get("took", 1)}))
        (folder / changes.get("more", "recipe.yaml")).write_text("")
        return kills.records(tmp_path / name)

    whole = run("whole")

    def different(found):
        return [name for name, value in whole.items() if found[name] != value]

    assert different(run("slower", row={"seconds": 9.0}, took=9)) == []
    assert different(run("row", row={"val": 0.5000001})) == ["metrics.jsonl"]
    assert different(run("weights", weights=b"\x01")) == ["model.safetensors"]
    assert different(run("more", more="state.pt")) == ["names of files"]
