"""What is seen while a study runs: one bar for the whole with the time left, and a line for each run under way."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from zoo.runs import folder
from zoo.runs.jsonl import check_row, parse_json
from zoo.runs.run import Run
from zoo.untrusted import escape_controls

if TYPE_CHECKING:
    from zoo.studies.processes import Executor, JobResult
    from zoo.studies.study_plan import PlannedRun, StudyPlan

_TAIL = 2048  # bytes of metrics.jsonl that surely hold its last line


class StudyProgress:
    """A live display on standard error where that is a terminal; a line for each run that ends everywhere."""

    def __init__(self, plan: "StudyPlan", executor: "Executor", *, enabled: bool) -> None:
        self.plan, self.executor, self.enabled = plan, executor, enabled
        self.console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not (enabled and self.console.is_terminal),
        )
        self._whole = self._bars.add_task(escape_controls(plan.study.name), total=None, figures="")
        self._lines: dict[Path, Any] = {}
        self._looked = 0.0
        self._load_done = self._seconds_done = 0.0

    def __enter__(self) -> "StudyProgress":
        runs = list(self.plan.runs())
        finished = sum(run.finished for run in runs)
        failed = sum(run.failure is not None for run in runs)
        said = f"{len(runs)} runs, {finished} of them finished before" + (f", {failed} failed" if failed else "")
        self._say(f"study {self.plan.study.name}: {said}")
        self._say(f"{self.executor.slots} at a time: {self.executor.why}", style="dim")
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def started(self, run: "PlannedRun") -> None:
        """Show a line for the run."""
        total = _epochs(run)
        self._lines[run.path] = self._bars.add_task(
            escape_controls(f"  {run.title}"), total=total, figures="getting ready"
        )

    def ended(self, run: "PlannedRun", ended: "JobResult") -> None:
        """Say how it ended."""
        line = self._lines.pop(run.path, None)
        if line is not None:
            self._bars.remove_task(line)
        if ended.status != "done":
            self._say(f"{run.title}: {ended.status} — {ended.reason}", style="bold")
            return
        record = Run(run.path).record
        self._load_done += _load(run)
        self._seconds_done += record.seconds_with_setup
        scores = {"val": record.val, "test": record.test}
        figures = ", ".join(f"{part} {value:.3f}" for part, value in scores.items() if value is not None)
        self._say(f"{run.title}: {record.status}, {figures or 'no figure'} ({record.seconds:.0f} s)")

    def beat(self, plan: "StudyPlan", under_way: Collection["PlannedRun"]) -> None:
        """Move the bars."""
        if self._bars.disable or time.monotonic() - self._looked < 0.5:
            return
        self._looked = time.monotonic()
        runs = list(plan.runs())
        over = [run for run in runs if run.finished or run.failure is not None]
        unknown = sum(searched.still_unknown for searched in plan.cells)
        self._bars.update(
            self._whole, total=len(runs) + unknown, completed=len(over), figures=self._left(runs, under_way, unknown)
        )
        for run in under_way:
            row = _last_row(run.path / folder.METRICS)
            if row and run.path in self._lines:
                known = {"val": row["val"], "best": row["best_val"]}
                figures = " · ".join(f"{name} {value:.3f}" for name, value in known.items() if value is not None)
                self._bars.update(self._lines[run.path], completed=row["epoch"], figures=figures)

    def _left(self, runs: list["PlannedRun"], under_way: Collection["PlannedRun"], unknown: int) -> str:
        """Time left, by what the runs so far took for each epoch and block."""
        waiting = [run for run in runs if not run.finished and run.failure is None]
        if not self._load_done or not waiting:
            return ""
        load = sum(map(_load, waiting)) * (1 + unknown / len(waiting))
        done = sum(_load(run) * _share(run) for run in under_way)
        seconds = max(0.0, load - done) * self._seconds_done / self._load_done / self.executor.slots
        minutes, seconds = divmod(round(seconds), 60)
        return f"about {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def _say(self, line: str, style: str | None = None) -> None:
        if self.enabled:
            self.console.print(escape_controls(line), style=style, highlight=False, markup=False, soft_wrap=True)


def _epochs(run: "PlannedRun") -> int | None:
    duration = run.recipe.training.duration
    return int(duration.amount) if duration.unit == "epochs" else None


def _load(run: "PlannedRun") -> float:
    """How much work a run is, roughly: epochs times blocks."""
    depth = run.recipe.model.options.get("depth", 1)
    return float(run.recipe.training.duration.amount) * (3 + (depth if isinstance(depth, int) else 1))


def _share(run: "PlannedRun") -> float:
    """How much of it is done."""
    row, total = _last_row(run.path / folder.METRICS), _epochs(run)
    return min(1.0, row["epoch"] / total) if row and total else 0.0


def _last_row(file: Path) -> dict[str, Any] | None:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _TAIL))
            lines = stream.read().splitlines()
        row = parse_json(lines[-1].decode())
        check_row(row, "epoch")
        return row if {"val", "best_val"} <= set(row) else None
    except (OSError, ValueError, IndexError):
        return None
