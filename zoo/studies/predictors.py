"""Predictors of the test score: rank correlation of probed quantities with it over many runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.runs.run import Run
from zoo.studies import formatting
from zoo.studies.cells import Cell, EvaluationSetting, axes_of, is_finite
from zoo.studies.statistics import Correlation, correlation, holm
from zoo.studies.table import Table

ALL = "all"  # the family of all runs together
_ENDS = ("first", "last", "growth", "imbalance")


@dataclass(frozen=True)
class Predictor:
    """One quantity over the runs with one setting: x its values, y the test scores, in the order of the runs.

    labels: of each run's cell, on the first axis on which the cells differ. family: of these runs, `ALL` for those of
    all families together.
    """

    name: str
    setting: EvaluationSetting
    correlation: Correlation
    x: tuple[float | None, ...] = ()
    y: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    family: str = ALL


def predictors(
    cells: Sequence[Cell], names: Sequence[str], at: str = "start", families: Sequence[str] = ()
) -> list[Predictor]:
    """Correlate quantities with test scores, over all runs of all cells, each setting by itself.

    names: quantities as in probes.jsonl. Of one with a value for each block that of the first block counts for
    gradients (the last that back-propagation reaches) and of the last block for others; `name@first`, `name@last`,
    `name@growth` (first over last) and `name@imbalance` (|ln growth|, as a gradient that vanishes is no better than one
    that explodes) choose. at: start, the reading of the first step, or best, the last one of the quantity up to the
    best validation. families: axes whose labels make a family of networks; each family also counts by itself, since a
    correlation over several may show how they differ and nothing that holds within any. Runs without a test score are
    left out.
    Raises: RunError if a quantity was not measured in any run.
    """
    by_setting: dict[EvaluationSetting, list[tuple[Cell, str, float]]] = {}
    for cell in cells:
        for score in cell.scores:
            if cell.setting and is_finite(score.test):
                by_setting.setdefault(cell.setting, []).append((cell, score.path, score.test))
    found = []
    for setting, runs in by_setting.items():
        owners = [cell for cell, *_ in runs]
        readings = [_reading(Run(Path(path)), at) for _, path, _ in runs]
        groups: dict[str, list[int]] = {}
        for index, cell in enumerate(owners):
            groups.setdefault(", ".join(cell.axes.get(axis, "–") for axis in families), []).append(index)
        members = [(ALL, list(range(len(runs)))), *(groups.items() if len(groups) > 1 else ())]
        differing = [axis for axis in axes_of(owners) if len({cell.axes.get(axis) for cell in owners}) > 1]
        labels = [_label(cell, differing) for cell in owners]
        for name in names:
            if not any(name.split("@")[0] in reading for reading in readings):
                known = sorted({key for reading in readings for key in reading} - {"step", "epoch"})
                raise RunError(
                    f"report.predictors — {name} was measured in no run on {setting.dataset} — expected one of: "
                    f"{', '.join(known) or 'none, the runs have no probes'}{did_you_mean(name, known)}"
                )
            values = [_value(reading, name) for reading in readings]
            for family, indices in members:
                x, y = tuple(values[index] for index in indices), tuple(runs[index][2] for index in indices)
                own = tuple(labels[index] for index in indices)
                found.append(Predictor(name, setting, correlation(x, y), x, y, own, family))
    return found


def predictor_table(found: Sequence[Predictor], at: str = "start") -> Table:
    """Lay out a row for each quantity, family and setting: Spearman's ρ, interval, p with Holm's correction, runs.

    The strongest quantity first: that whose |ρ| is the largest, on average over the families where there are several.
    """
    settings = list(dict.fromkeys(item.setting for item in found))
    strength = {(item.setting, item.name): _strength(item, found) for item in found}
    ranked = sorted(found, key=lambda item: (settings.index(item.setting), -strength[item.setting, item.name]))
    several = any(item.family != ALL for item in found)
    rows, records = [], []
    for item, p in zip(ranked, holm([item.correlation.p for item in ranked]), strict=True):
        measure = item.correlation
        rows.append(
            (
                *(item.setting.dataset, item.name, *((item.family,) if several else ())),
                formatting.signed(measure.rho, 2),
                formatting.signed_interval(measure.low, measure.high, 2),
                formatting.p_value(p),
                str(measure.n) + (f" ({measure.dropped} not finite)" if measure.dropped else ""),
            )
        )
        records.append(
            {
                "dataset": item.setting.dataset,
                "quantity": item.name,
                "family": item.family,
                "rho": measure.rho,
                "low": measure.low,
                "high": measure.high,
                "p": measure.p,
                "p_holm": p,
                "n": measure.n,
                "dropped": measure.dropped,
            }
        )
    when = "before the first step" if at == "start" else "at the best validation"
    left = ("data", "quantity", *(("family",) if several else ()))
    right = ("ρ", "95% interval", "p (Holm)", "runs")
    return Table(
        title=f"Spearman's ρ of probed quantities, read {when}, with the test figure",
        head=(*left, *right),
        rows=tuple(rows),
        align=("left",) * len(left) + ("right",) * len(right),
        notes=(
            "Over runs of all cells; of gradients the value at the first block, of representations at the last, unless "
            "stated otherwise; growth: first block over last; imbalance: |ln growth|.",
            *([_note_on_families(ranked)] if several else []),
            "Interval: BCa bootstrap over runs. Runs of one cell are alike, so it is too narrow as a statement on new "
            "cells.",
        ),
        records=tuple(records),
    )


def _strength(item: Predictor, found: Sequence[Predictor]) -> float:
    """Return mean |ρ| over the families of a quantity and setting, or over all runs where there is one family."""
    every = [other for other in found if (other.setting, other.name) == (item.setting, item.name)]
    counted = [other for other in every if other.family != ALL] or every
    return sum(abs(other.correlation.rho or 0.0) for other in counted) / len(counted)


def _note_on_families(found: Sequence[Predictor]) -> str:
    """Name the quantities whose ρ over all families has another sign than a clear one within a family."""
    pooled = {(item.setting, item.name): item.correlation.rho or 0.0 for item in found if item.family == ALL}
    turned = []
    for item in found:
        measure, together = item.correlation, pooled[item.setting, item.name]
        is_clear = measure.low is not None and measure.high is not None and measure.low * measure.high > 0
        if item.family != ALL and is_clear and together * (measure.rho or 0.0) < 0:
            both = f"{formatting.signed(together, 2)}, but {formatting.signed(measure.rho, 2)} within {item.family}"
            turned.append(f"{item.name} ({both})")
    note = f"ρ over {ALL} families together also measures how they differ"
    return f"{note}; it has the opposite sign for {', '.join(turned)}." if turned else f"{note}."


def _label(cell: Cell, axes: Sequence[str]) -> str:
    """Return the cell's label on the first of the axes that it has."""
    return next((f"{axis}={cell.axes[axis]}" for axis in axes if axis in cell.axes), str(cell))


def _reading(run: Run, at: str) -> dict[str, Any]:
    """Return the values that count, by quantity; empty if nothing was measured."""
    rows = run.probes
    if at == "start":
        return rows[0] if rows else {}
    until = [row for row in rows if row["epoch"] <= run.record.best_epoch]
    return {quantity: value for row in until for quantity, value in row.items()}  # not every row has all of them


def _value(reading: dict[str, Any], name: str) -> float | None:
    quantity, _, end = name.partition("@")
    value = reading.get(quantity)
    if not isinstance(value, list):
        return value
    end = end or ("first" if quantity.startswith("gradients.") else "last")
    if end not in _ENDS:
        raise RunError(f"report.predictors — {name} — expected {quantity}@ and one of: {', '.join(_ENDS)}")
    if end in ("first", "last"):
        return value[0] if end == "first" else value[-1]
    growth = value[0] / value[-1] if value[0] is not None and value[-1] else None
    if end == "growth" or growth is None:
        return growth
    return abs(math.log(growth)) if growth else math.inf
