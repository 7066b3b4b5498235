"""Progress displays of trainings and of studies, on standard error."""

import math
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from zoo.untrusted import escape_controls

if TYPE_CHECKING:
    from typing_extensions import Self

    from zoo.builder import Built
    from zoo.runs.run import Run
    from zoo.studies.processes import Executor, JobResult
    from zoo.studies.study_plan import PlannedRun, StudyPlan
    from zoo.training.outcome import Measured, Row, Watcher

_TAIL = 2048  # bytes of metrics.jsonl that surely hold its last line


class _Display:
    """Bars where standard error is a terminal, and lines everywhere; neither unless enabled."""

    def __init__(self, *columns: ProgressColumn, enabled: bool) -> None:
        self.enabled = enabled
        self.console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            *columns,
            console=self.console,
            transient=True,
            disable=not (enabled and self.console.is_terminal),
        )

    def __enter__(self) -> "Self":
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def _say(self, line: str, style: str | None = None) -> None:
        """Print one line, as it is: a path may hold what the console would take for markup."""
        if self.enabled:
            self.console.print(escape_controls(line), style=style, highlight=False, markup=False, soft_wrap=True)


class Progress(_Display):
    """Display of the trainings of one command: a bar with the figures of the moment, a line for each run that ends."""

    def __init__(self, *, enabled: bool) -> None:
        super().__init__(TimeRemainingColumn(), enabled=enabled)
        self._trained: set[tuple[str, int]] = set()
        self._shown: set[str] = set()  # choices, which are the same for most runs of one command

    def watcher(self, recipe: str, seed: int) -> Callable[["Built"], "Watcher"]:
        """Return a function that makes the watcher of a run from its built objects; its bar is shown from now on."""
        bar = self._bars.add_task(escape_controls(f"{recipe} seed {seed}"), total=None, figures="getting ready")

        def watch(built: "Built") -> "Watcher":
            self._trained.add((recipe, seed))
            for choice in map(str, built.choices):
                if choice not in self._shown:
                    self._shown.add(choice)
                    self._say(f"{recipe} seed {seed} · {choice}", style="dim")
            total = built.recipe.training.duration.steps(built.task.steps_per_epoch)
            self._bars.update(bar, total=total, figures="")
            return _Bar(self._bars, bar, built.task.metric)

        return watch

    def ended(self, run: "Run") -> None:
        """Print how a run ended, and where it is kept."""
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        record = run.record
        how = run.status
        if (record.recipe, run.seed) not in self._trained:
            by = f", by {run.other_code}" if run.other_code else ""
            how = f"{run.status} earlier{by}, shown from its folder; --again trains anew"
        self._say(f"{record.recipe} seed {run.seed}: {how} → {run.path}")
        for found in (record.non_finite, record.diagnosis):
            if found is not None:
                self._say(f"  {found}", style="bold")
        self._trained.discard((record.recipe, run.seed))


class _Bar:
    """Watcher that shows one run's validations on its bar."""

    def __init__(self, bars: RichProgress, bar: Any, metric: str) -> None:
        self._bars, self._bar, self._metric = bars, bar, metric
        self._gradient = ""

    def probed(self, row: "Row") -> None:
        from zoo.probes.reading import growth, readable

        rate, mu = row.get("expansion_rate.plain"), row.get("gradients.mu.plain")
        if rate is not None and mu:
            ratio = mu[0] / mu[-1] if mu[-1] else math.nan
            self._gradient = f" · μ(G) ×{growth(rate)}/block · μ(G₁)/μ(G_L) {readable(ratio, 2)}"

    def measured(self, row: "Measured") -> None:
        figures = f"loss {row['loss']:.4f} · val {self._metric} {row['val']:.4f} · best {row['best_val']:.4f}"
        self._bars.update(self._bar, completed=row["step"], figures=figures + self._gradient)


class StudyProgress(_Display):
    """Display of a study: one bar for the whole with the time left, a line for each run under way or ended."""

    def __init__(self, plan: "StudyPlan", executor: "Executor", *, enabled: bool) -> None:
        super().__init__(enabled=enabled)
        self.plan, self.executor = plan, executor
        self._whole = self._bars.add_task(escape_controls(plan.study.name), total=None, figures="")
        self._lines: dict[Path, Any] = {}
        self._looked = 0.0
        self._load_done = self._seconds_done = 0.0

    def __enter__(self) -> "Self":
        runs = list(self.plan.runs())
        finished = sum(run.finished for run in runs)
        failed = sum(run.failure is not None for run in runs)
        counts = f"{len(runs)} runs, {finished} of them finished before" + (f", {failed} failed" if failed else "")
        self._say(f"study {self.plan.study.name}: {counts}")
        self._say(f"{self.executor.slots} at a time: {self.executor.why}", style="dim")
        return super().__enter__()

    def started(self, run: "PlannedRun") -> None:
        """Show a line for the run."""
        self._lines[run.path] = self._bars.add_task(
            escape_controls(f"  {run.title}"), total=_epochs(run), figures="getting ready"
        )

    def ended(self, run: "PlannedRun", result: "JobResult") -> None:
        """Print how the run ended."""
        from zoo.runs.run import Run

        line = self._lines.pop(run.path, None)
        if line is not None:
            self._bars.remove_task(line)
        if result.status != "done":
            self._say(f"{run.title}: {result.status} — {result.reason}", style="bold")
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
        unknown = sum(cell.still_unknown for cell in plan.cells)
        over = sum(run.finished or run.failure is not None for run in runs)
        left = self._left(runs, under_way, unknown)
        self._bars.update(self._whole, total=len(runs) + unknown, completed=over, figures=left)
        for run in under_way:
            row = last_row(run.path)
            if row and run.path in self._lines:
                known = {"val": row["val"], "best": row["best_val"]}
                figures = " · ".join(f"{name} {value:.3f}" for name, value in known.items() if value is not None)
                self._bars.update(self._lines[run.path], completed=row["epoch"], figures=figures)

    def _left(self, runs: list["PlannedRun"], under_way: Collection["PlannedRun"], unknown: int) -> str:
        """Return the time left, by what the runs so far took for each epoch and block."""
        waiting = [run for run in runs if not run.finished and run.failure is None]
        if not self._load_done or not waiting:
            return ""
        load = sum(map(_load, waiting)) * (1 + unknown / len(waiting))
        for run in under_way:
            row, total = last_row(run.path), _epochs(run)
            load -= _load(run) * min(1.0, row["epoch"] / total) if row and total else 0.0
        seconds = round(max(0.0, load) * self._seconds_done / self._load_done / self.executor.slots)
        minutes, seconds = divmod(seconds, 60)
        return f"about {minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _epochs(run: "PlannedRun") -> int | None:
    duration = run.recipe.training.duration
    return int(duration.amount) if duration.unit == "epochs" else None


def _load(run: "PlannedRun") -> float:
    """Estimate the work of a run: epochs times blocks."""
    depth = run.recipe.model.options.get("depth", 1)
    return float(run.recipe.training.duration.amount) * (3 + (depth if isinstance(depth, int) else 1))


def last_row(path: Path) -> dict[str, Any] | None:
    """Return the last validation of the run in a folder; None if there is none that can be read at this moment."""
    from zoo.runs import folder
    from zoo.runs.jsonl import check_row, parse_json

    try:
        with (path / folder.METRICS).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _TAIL))
            lines = stream.read().splitlines()
        row = parse_json(lines[-1].decode())
        check_row(row, "epoch")
        return row if {"val", "best_val"} <= set(row) else None
    except (OSError, ValueError, IndexError):
        return None
