"""What is seen while a study runs."""

import io
import json

import pytest
from rich.console import Console

from zoo.cli import study_progress
from zoo.cli.study_progress import StudyProgress
from zoo.runs import folder
from zoo.studies.processes import JobResult
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Study, Tuning


@pytest.fixture
def screen(monkeypatch) -> dict[str, io.StringIO]:
    """Makes standard error a terminal 200 wide, or none; holds what was written."""
    held = {"text": io.StringIO(), "terminal": False}

    def console(**_: object) -> Console:
        return Console(file=held["text"], force_terminal=held["terminal"], width=200)

    monkeypatch.setattr(study_progress, "Console", console)
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
    assert study_progress._last_row(tmp_path / "metrics.jsonl") is None
    assert study_progress._last_row(tmp_path / "none") is None


def test_only_the_end_of_a_long_file_is_read(tmp_path):
    """The last line is found however many there are."""
    file = tmp_path / "metrics.jsonl"
    row = {"loss": 0.123456789, "val": None, "best_val": 0.5}
    file.write_text("".join(json.dumps({"epoch": epoch, **row}) + "\n" for epoch in range(1000)))
    assert study_progress._last_row(file) == {"epoch": 999, **row}


@pytest.mark.parametrize("line", ["[" * 2000, "5", '{"epoch": 1}', '{"epoch": "x", "val": 1, "best_val": 1}', "\udcff"])
def test_a_damaged_line_is_no_line(tmp_path, line):
    """A display does not end a study because a file that it looks at is damaged."""
    file = tmp_path / "metrics.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8", errors="surrogateescape")
    assert study_progress._last_row(file) is None
