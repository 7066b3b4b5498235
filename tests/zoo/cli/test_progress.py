"""What is said while training, and where: figures to standard error, the table to standard output."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import zoo
from zoo.cli import progress as progress_module
from zoo.cli.progress import Progress, StudyProgress, last_row
from zoo.probes.diagnosis import NonFinite
from zoo.runs import folder
from zoo.runs.run import Run
from zoo.studies.processes import JobResult
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Study, Tuning
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


@pytest.fixture
def screen(monkeypatch) -> dict[str, io.StringIO]:
    """Makes standard error a terminal 200 wide, or none; holds what was written."""
    held = {"text": io.StringIO(), "terminal": False}

    def console(**_: object) -> Console:
        return Console(file=held["text"], force_terminal=held["terminal"], width=200)

    monkeypatch.setattr(progress_module, "Console", console)
    return held


@pytest.fixture
def plan(tmp_path) -> StudyPlan:
    return StudyPlan(Study(name="tiny", base="smoke/res-gcn", vary={"model.depth": (2, 3)}, seeds=(0, 1)), tmp_path)


def measured(run, **row) -> None:
    """A validation of a run that is under way."""
    run.path.mkdir(parents=True, exist_ok=True)
    with (run.path / folder.METRICS).open("a") as stream:
        stream.write(json.dumps({"epoch": 1, "step": 1, "val": 0.5, "best_val": 0.5, **row}) + "\n")


def test_each_run_that_ends_is_a_line(screen, plan, result, pretend):
    """Without a terminal, as in a log: what there is at the start, then one line for each run, whatever ended it."""
    first, second, third, fourth = plan.runs()
    result(first.path, first.recipe, 0, val=0.25, test=0.75, seconds=3.2)
    folder.note_failure(second.path, "out of luck")
    with StudyProgress(plan, pretend(None), enabled=True) as progress:
        for run in (third, fourth):
            progress.started(run)
        result(third.path, third.recipe, 0, val=0.125, test=0.5, seconds=3.2)
        result(fourth.path, fourth.recipe, 1, val=None, test=None, status="non-finite")
        progress.ended(third, JobResult("done"))
        progress.ended(fourth, JobResult("done"))
        progress.ended(second, JobResult("failed", "out of luck [again]"))
        progress.beat(plan, [])
    assert screen["text"].getvalue().splitlines() == [
        "study tiny: 4 runs, 1 of them finished before, 1 failed",
        "2 at a time: as the test says",
        "model.depth 3, seed 0: finished, val 0.125, test 0.500 (3 s)",
        "model.depth 3, seed 1: non-finite, no figure (0 s)",
        "model.depth 2, seed 1: failed — out of luck [again]",
    ]


def test_quiet_is_quiet(screen, plan, result, pretend):
    """Nothing is written, on a terminal either."""
    screen["terminal"] = True
    run = next(plan.runs())
    with StudyProgress(plan, pretend(None), enabled=False) as progress:
        progress.started(run)
        result(run.path, run.recipe)
        progress.beat(plan, [run])
        progress.ended(run, JobResult("done"))
    assert screen["text"].getvalue() == ""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"val": 0.5, "best_val": 0.75}, "val 0.500 · best 0.750"),
        ({"val": None, "best_val": 0.75}, "best 0.750"),
        ({"val": None, "best_val": None}, "tiny"),
    ],
    ids=["finite", "not finite any more", "never finite"],
)
def test_a_terminal_shows_runs_under_way(row, said, screen, plan, result, pretend, monkeypatch):
    """One bar for the whole and a line for each run, also for a run whose validation is not finite any more."""
    screen["terminal"] = True
    run, other, *_ = plan.runs()
    with StudyProgress(plan, pretend(None), enabled=True) as progress:
        progress.started(run)
        progress.started(other)
        measured(run, epoch=2, **row)
        result(other.path, other.recipe, 1)
        progress.ended(other, JobResult("done"))
        progress.beat(plan, [run])
        progress._bars.refresh()
    text = screen["text"].getvalue()
    assert said in text
    assert "1/4" in text
    assert "2/5" in text
    assert "model.depth 2, seed 0" in text


def test_time_left_is_by_work(screen, plan, result, pretend):
    """Epochs times blocks that are left, at the pace so far, over the slots; none before a run has ended."""
    screen["terminal"] = True
    first, second, third, fourth = plan.runs()
    progress = StudyProgress(plan, pretend(None, slots=2), enabled=True)
    assert progress._left(list(plan.runs()), [], 0) == ""
    with progress:
        result(first.path, first.recipe, 0, seconds_with_setup=100.0)
        progress.started(first)
        progress.ended(first, JobResult("done"))
    runs = list(plan.runs())
    # a run of 2 blocks weighs 5 · (3 + 2) = 25 and took 100 s; left are 25 + 30 + 30 over two slots
    assert progress._left(runs, [], 0) == "about 0:02:50 left"
    measured(second, epoch=4)
    assert progress._left(runs, [second], 0) == "about 0:02:10 left"  # four fifths of it are done
    assert progress._left(runs, [second], 3) == "about 0:05:00 left"  # three more, of the mean weight
    for run in (second, third, fourth):
        result(run.path, run.recipe, run.seed)
    assert progress._left(list(plan.runs()), [], 0) == ""


def test_runs_that_are_not_chosen_yet_count(screen, tmp_path, pretend):
    """A search shows how many runs there will be at most."""
    screen["terminal"] = True
    tuning = Tuning(method="grid", space={"optimizer.lr": (0.1, 0.2)})
    plan = StudyPlan(Study(name="tiny", base="smoke/res-gcn", tune=tuning, seeds=(0, 1)), tmp_path)
    with StudyProgress(plan, pretend(None), enabled=True) as progress:
        progress.beat(plan, [])
        progress._bars.refresh()
    assert "0/4" in screen["text"].getvalue()


@pytest.mark.parametrize("text", ["", "{", "\n"])
def test_a_line_half_written_is_waited_for(text, tmp_path):
    """A file that is being written is looked at again, not stumbled over."""
    (tmp_path / "metrics.jsonl").write_text(text)
    assert last_row(tmp_path) is None
    assert last_row(tmp_path / "none") is None


def test_only_the_end_of_a_long_file_is_read(tmp_path):
    """The last line is found however many there are."""
    file = tmp_path / "metrics.jsonl"
    row = {"loss": 0.123456789, "val": None, "best_val": 0.5}
    file.write_text("".join(json.dumps({"epoch": epoch, **row}) + "\n" for epoch in range(1000)))
    assert last_row(tmp_path) == {"epoch": 999, **row}


@pytest.mark.parametrize("line", ["[" * 2000, "5", '{"epoch": 1}', '{"epoch": "x", "val": 1, "best_val": 1}', "\udcff"])
def test_a_damaged_line_is_no_line(tmp_path, line):
    """A display does not end a study because a file that it looks at is damaged."""
    file = tmp_path / "metrics.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8", errors="surrogateescape")
    assert last_row(tmp_path) is None
