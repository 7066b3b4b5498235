"""What is said while training, and where: figures to standard error, the table to standard output."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zoo
from zoo.cli.progress import Progress
from zoo.probes.diagnosis import NonFinite
from zoo.runs.run import Run
from zoo.system.choice import Choice

ROW = {"epoch": 1, "step": 1, "loss": 0.5, "val": 0.75, "best_val": 0.75, "lr": 0.01, "seconds": 0.1}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """Nothing in the environment makes rich believe in a terminal, or changes its width."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(path: Path, other_code: str | None = None, **record: Any) -> Any:
    """As much of a run as `Progress` looks at."""
    values = {"recipe": "smoke/res-gcn", "non_finite": None, "diagnosis": None, **record}
    status = record.get("status", "finished")
    return SimpleNamespace(record=SimpleNamespace(**values), seed=3, status=status, path=path, other_code=other_code)


def train(progress: Progress, path: Path, ended: Any) -> None:
    """Show a run of two validations."""
    with progress:
        watcher: Any = progress.watcher("smoke/res-gcn", 3)(zoo.build("smoke/res-gcn"))
        for number in (1, 2):
            watcher.measured({**ROW, "step": number})
        progress.ended(ended)


def test_disabled_says_nothing(capsys, tmp_path):
    """With --quiet or --json neither stream gets a letter, also when a run ends badly."""
    bad = NonFinite(4, "output", 2, 4)
    train(Progress(enabled=False), tmp_path, run(tmp_path, status="non-finite", non_finite=bad))
    assert capsys.readouterr() == ("", "")


def test_plain_lines_where_there_is_no_terminal(capsys, tmp_path):
    """Choices and the end of each run are whole lines on standard error, without bars or control characters."""
    path = tmp_path / ("long-" * 30) / "seed-3"
    train(Progress(enabled=True), tmp_path, run(path))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("smoke/res-gcn seed 3 · device: ")
    assert lines[-1] == f"smoke/res-gcn seed 3: finished → {path}"
    assert [line for line in lines if not line.startswith("smoke/res-gcn seed 3")] == []
    assert all(character.isprintable() or character == "\n" for character in err)


def test_a_choice_is_said_once(capsys):
    """What is the same for every seed is said with the first of them; what differs is said again."""
    with Progress(enabled=True) as progress:
        for seed, threads in enumerate((1, 1, 2)):
            choices = (Choice("device", "cpu", "asked for"), Choice("threads", str(threads), "asked for"))
            built: Any = SimpleNamespace(**{**vars(zoo.build("smoke/res-gcn")), "choices": choices})
            progress.watcher("smoke/res-gcn", seed)(built)
    assert capsys.readouterr().err.splitlines() == [
        "smoke/res-gcn seed 0 · device: cpu (asked for)",
        "smoke/res-gcn seed 0 · threads: 1 (asked for)",
        "smoke/res-gcn seed 2 · threads: 2 (asked for)",
    ]


def test_a_run_that_was_there_already_is_told_from_a_new_one(capsys, tmp_path):
    """Without training before it, the line says where the figures come from and how to train anew."""
    progress = Progress(enabled=True)
    train(progress, tmp_path, run(tmp_path))
    capsys.readouterr()
    progress.ended(run(tmp_path))
    assert "finished earlier, shown from its folder; --again trains anew" in capsys.readouterr().err


def test_an_earlier_run_of_other_code_is_called_so(capsys, tmp_path):
    """The commit of a run that another version computed is in the line; it is not trained anew by itself."""
    Progress(enabled=True).ended(run(tmp_path, "other code, commit fedcba9876"))
    said = "finished earlier, by other code, commit fedcba9876, shown from its folder; --again trains anew"
    assert said in capsys.readouterr().err


def test_the_first_bad_block_is_said(capsys, tmp_path):
    """A run that met a non-finite number has a second line that says where."""
    bad = NonFinite(4, "output", 2, 4)
    train(Progress(enabled=True), tmp_path, run(tmp_path, status="non-finite", non_finite=bad))
    said = "step 4: the output of block 2 of 4 is the first that is not finite"
    assert capsys.readouterr().err.splitlines()[-1] == f"  {said}"


@pytest.mark.parametrize("odd", ["runs [old]", "[/red]", "[bold]b[/bold]"])
def test_names_are_said_as_they_are(capsys, tmp_path, odd):
    """Square brackets in a path or a recipe's name are no markup."""
    progress = Progress(enabled=True)
    with progress:
        progress.watcher(odd, 3)(zoo.build("smoke/res-gcn"))
        progress.ended(run(tmp_path / odd, recipe=odd))
    err = capsys.readouterr().err
    assert err.startswith(f"{odd} seed 3 · device")
    assert err.endswith(f"{odd} seed 3: finished → {tmp_path / odd}\n")


def test_a_real_run_is_accepted(capsys, tmp_path):
    """The line of a run that was trained shows its own path."""
    trained = zoo.train("smoke/mlp", {"dataset.nodes": 60}, runs=tmp_path)
    Progress(enabled=True).ended(Run(trained.path))
    assert str(trained.path) in capsys.readouterr().err
