"""Display of a training: a bar with the figures of the moment, and a line for each run that ends."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from zoo.untrusted import escape_controls

if TYPE_CHECKING:
    from zoo.builder import Built
    from zoo.runs.run import Run
    from zoo.training.outcome import Measured, Row, Watcher


class Progress:
    """A live display on standard error where that is a terminal; plain lines otherwise."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self.console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not (enabled and self.console.is_terminal),
        )
        self._trained: set[tuple[str, int]] = set()
        self._shown: set[str] = set()  # choices, which are the same for most runs of one command

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def watcher(self, recipe: str, seed: int) -> Callable[["Built"], "Watcher"]:
        """A watcher for one run, made when its objects are built; until then its bar says that they are."""
        bar = self._bars.add_task(escape_controls(f"{recipe} seed {seed}"), total=None, figures="getting ready")

        def watch(built: "Built") -> "Watcher":
            self._trained.add((recipe, seed))
            for choice in map(str, built.choices):
                if self.enabled and choice not in self._shown:
                    self._shown.add(choice)
                    self._say(f"{recipe} seed {seed} · {choice}", style="dim")
            total = built.recipe.training.duration.steps(built.task.steps_per_epoch)
            self._bars.update(bar, total=total, figures="")
            return _Bar(self._bars, bar, built.task.metric)

        return watch

    def ended(self, run: "Run") -> None:
        """Say how a run ended, and where it is kept."""
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        if self.enabled:
            record = run.record
            how = run.status if (record.recipe, run.seed) in self._trained else _earlier(run)
            self._say(f"{record.recipe} seed {run.seed}: {how} → {run.path}")
            for found in (record.non_finite, record.diagnosis):
                if found is not None:
                    self._say(f"  {found}", style="bold")
        self._trained.discard((run.record.recipe, run.seed))

    def _say(self, line: str, style: str | None = None) -> None:
        """One line, as it is: a path may hold what the console would take for markup."""
        self.console.print(escape_controls(line), style=style, highlight=False, markup=False, soft_wrap=True)


def _earlier(run: "Run") -> str:
    """Return how a run ended that was not trained now, and the other code that trained it, if it was another."""
    by = f", by {run.other_code}" if run.other_code else ""
    return f"{run.status} earlier{by}, shown from its folder; --again trains anew"


class _Bar:
    """Shows one run's validations on its bar."""

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
