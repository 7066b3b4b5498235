"""What became of a study's runs: those that failed, in words, and all of them for JSON."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.studies.run_study import Failures
    from zoo.studies.study_plan import StudyPlan

_NAMED = 10  # failed runs that are named; `status` has them all
_LONGEST = 200  # characters of a reason


def say_failures(failures: "Failures", more: str, again: str) -> None:
    """On standard error: how many failed, a line for each, and the commands that tell more and that try again."""
    from rich.console import Console

    from zoo.untrusted import escape_controls

    if not failures:
        return
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{len(failures)} run{'s' if len(failures) > 1 else ''} failed:")
    for run, reason in failures[:_NAMED]:
        console.print(escape_controls(f"  {run.title} — {textwrap.shorten(reason, _LONGEST, placeholder=' …')}"))
    if len(failures) > _NAMED:
        console.print(f"  and {len(failures) - _NAMED} more")
    console.print(escape_controls(f"more: {more}\nagain: {again}", keep="\n"))


def plain(plan: "StudyPlan", reasons: Mapping[Path, str] | None = None) -> dict[str, Any]:
    """The study as JSON has it: how many runs are in which state, and each with its figures or why it failed.

    reasons: of runs that ended without a result, by folder; they are failed, whatever their folders say.
    """
    from collections import Counter

    from zoo.runs.run import Run
    from zoo.runs.run_table import row_of

    rows: list[dict[str, Any]] = []
    for run in plan.runs():
        reason = (reasons or {}).get(run.path)
        state = "failed" if reason else run.state
        row = {"run": run.title, "state": state, "seed": run.seed, "split": run.split, "path": str(run.path)}
        figures = row_of(Run(run.path)) if state == "finished" else {"recipe": run.recipe.name}
        rows.append({**row, **figures, "failure": (reason or run.failure) if state == "failed" else None})
    counts = Counter(row["state"] for row in rows)
    unknown = sum(searched.still_unknown for searched in plan.cells)
    states = ("finished", "running", "waiting", "failed")
    return {"study": plan.study.name, **{state: counts[state] for state in states}, "unknown": unknown, "runs": rows}
