"""Runs as rows: for JSON, and as one table with mean ± sd over seeds."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from zoo.runs.run import Run
from zoo.untrusted import plain_text

_ROW = (
    *("recipe", "metric", "val", "test", "best_epoch", "seconds", "status", "seed"),
    *("gradient_similarity", "c", "diagnosis"),
)


def row_of(run: Run) -> dict[str, Any]:
    """The figures of a run that a script asks for; null where a number is not finite."""
    diagnosis = run.record.diagnosis
    values = {**asdict(run.record), "diagnosis": diagnosis.plain() if diagnosis else None}
    return {
        **{key: values[key] for key in _ROW},
        "dataset": run.dataset,
        "changes": list(run.changes),
        "path": str(run.path),
    }


def table_of(runs: Sequence[Run]) -> Table:
    """One row for each recipe and identity, in the order run; several seeds as mean ± sample standard deviation.

    Each says its data set and, where any was changed, what was changed of the recipe. Test is measured at the best
    validation of each run. Seconds are of all runs, those trained together counted once. Runs that met a non-finite
    number before any validation have no figure and are counted in the status column.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.record.recipe, run.record.identity), []).append(run)
    metrics = sorted({run.metric for run in runs})
    lower = sorted({run.metric for run in runs if not run.record.higher_is_better})
    better = f" ({' and '.join(lower)}: lower is better)" if lower else ""
    table = Table(
        title=plain_text(f"test {' or '.join(metrics)} at best validation{better}", "table.title"),
        title_justify="left",
    )
    changed = any(run.changes for run in runs)
    for head in ("recipe", "data", *(["changes"] if changed else []), "normalizer"):
        table.add_column(head, overflow="fold")
    if len(metrics) > 1:
        table.add_column("metric")
    for head in ("test", "val", "best epoch", "μ(G) first block", "μ(G) last block", "seconds"):
        table.add_column(head, justify="right")
    table.add_column("status")
    for (recipe, _), members in groups.items():
        gradients = [run.record.gradient_similarity for run in members]
        table.add_row(
            plain_text(recipe),
            plain_text(members[0].dataset),
            *([plain_text(" ".join(members[0].changes))] if changed else []),
            plain_text(normalizer_of(members[0])),
            *([plain_text(members[0].metric)] if len(metrics) > 1 else []),
            spread([run.test for run in members]),
            spread([run.val for run in members]),
            _range([run.record.best_epoch for run in members]),
            _scientific([gradient.first_block for gradient in gradients]),
            _scientific([gradient.last_block for gradient in gradients]),
            f"{sum(run.record.seconds / run.record.together for run in members):.1f}",
            plain_text(_statuses(members)),
        )
    table.caption = "μ(G): how much the gradient differs from node to node, at initialisation"
    table.caption_justify = "left"
    return table


def spread(values: Sequence[float | None]) -> str:
    """`0.823`, or `0.823 ± 0.007 (3)` for several: mean, sample standard deviation, count."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    if len(known) == 1:
        return f"{known[0]:.3f}"
    return f"{statistics.mean(known):.3f} ± {statistics.stdev(known):.3f} ({len(known)})"


def normalizer_of(run: Run) -> str:
    """The normalisers of a run in a few words, with the c that was used."""
    words = []
    for component in run.normalizers:
        c = component.get("c")
        if isinstance(c, dict) and run.record.c_range:
            low, high = ("not finite" if end is None else f"{end:.3g}" for end in run.record.c_range)
            c = f"{c.get('name')} → {low if low == high else f'{low}–{high}'}"
        elif c == "auto" and run.record.c is not None:
            c = f"auto → {run.record.c:.3g}"
        words.append(component["name"] if c is None else f"{component['name']} c={c}")
    return " + ".join(words)


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)}–{max(values)}"


def _scientific(values: Sequence[float | None]) -> str:
    known = [value for value in values if value]
    if len(known) < len(values) or not known:
        return "not finite" if any(value is None for value in values) else "0"
    return f"{math.exp(statistics.mean(map(math.log, known))):.1e}"


def _statuses(runs: Sequence[Run]) -> str:
    found = [(run.status, run.record.non_finite) for run in runs]
    counts = Counter(f"{status} at block {bad.block}" if bad and bad.block else status for status, bad in found)
    return ", ".join(status if len(counts) == 1 else f"{count} {status}" for status, count in counts.items())
