"""Which probed quantity tells how well a network will do: rank correlation with the test figure over many runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.runs.run import Run
from zoo.studies import formatting as figures
from zoo.studies.cells import Cell, EvaluationSetting, is_finite
from zoo.studies.statistics import Correlation, correlation, holm
from zoo.studies.table import Table

ALL = "all"  # the family of all runs together
_ENDS = ("first", "last", "growth", "imbalance")


@dataclass(frozen=True)
class Predictor:
    """One quantity over the runs on one ground: x its values, y the test figures, in the order of the runs.

    labels: of each run's cell, on the first axis on which the cells differ. family: whose runs these are, `ALL` for
    those of all families together.
    """

    name: str
    ground: EvaluationSetting
    x: tuple[float | None, ...]
    y: tuple[float, ...]
    labels: tuple[str, ...]
    correlation: Correlation
    family: str = ALL


def predictors(
    cells: Sequence[Cell], names: Sequence[str], at: str = "start", families: Sequence[str] = ()
) -> list[Predictor]:
    """Correlate quantities with test figures, over all runs of all cells, each ground by itself.

    families: axes whose labels make a family of networks; after all runs together each family counts by itself, since
    a correlation over several may say how they differ and nothing of what holds within any.

    names: quantities as in probes.jsonl. Of one with a value for each block that of the first block counts for
    gradients (the last that back-propagation reaches) and of the last block for others; `name@first`, `name@last`,
    `name@growth` (first over last) and `name@imbalance` (|ln growth|, as a gradient that vanishes is no better than one
    that explodes) choose. at: start, the reading of the first step, or best, the last one of the
    quantity up to the best validation. Runs without a test figure are left out.
    Raises: RunError if a quantity was not measured in any run.
    """
    by_ground: dict[EvaluationSetting, list[tuple[Cell, str, float]]] = {}
    for cell in cells:
        for score in cell.scores:
            if cell.setting and score.test is not None and is_finite(score.test):
                by_ground.setdefault(cell.setting, []).append((cell, score.path, score.test))
    found = []
    for ground, members in by_ground.items():
        readings = [_reading(Run(Path(path)), at) for _, path, _ in members]
        for name in names:
            if not any(name.split("@")[0] in reading for reading in readings):
                known = sorted({key for reading in readings for key in reading} - {"step", "epoch"})
                raise RunError(
                    f"report.predictors — {name} was measured in no run on {ground.dataset} — expected one of: "
                    f"{', '.join(known) or 'none, the runs have no probes'}{did_you_mean(name, known)}"
                )
            x = tuple(_number(reading, name) for reading in readings)
            y = tuple(test for *_, test in members)
            labels = tuple(_group(cell, [other for other, *_ in members]) for cell, *_ in members)
            found.append(Predictor(name, ground, x, y, labels, correlation(x, y)))
            of = [", ".join(cell.axes.get(axis, "–") for axis in families) for cell, *_ in members]
            for family in dict.fromkeys(of) if len(set(of)) > 1 else ():
                kept = [index for index, own in enumerate(of) if own == family]
                xs, ys = tuple(x[index] for index in kept), tuple(y[index] for index in kept)
                said = tuple(labels[index] for index in kept)
                found.append(Predictor(name, ground, xs, ys, said, correlation(xs, ys), family))
    return found


def predictor_table(found: Sequence[Predictor], at: str = "start") -> Table:
    """A row for each quantity, family and ground: Spearman's ρ, interval, p with Holm's correction, runs.

    The strongest quantity first: that whose |ρ| is the largest, on average over the families where there are several.
    """
    grounds = list(dict.fromkeys(item.setting for item in found))
    strength = {(item.setting, item.name): _strength(item, found) for item in found}
    ranked = sorted(found, key=lambda item: (grounds.index(item.setting), -strength[item.setting, item.name]))
    adjusted = holm([item.correlation.p for item in ranked])
    several = any(item.family != ALL for item in found)
    rows = [
        (
            item.setting.dataset,
            item.name,
            *((item.family,) if several else ()),
            figures.signed(item.correlation.rho, 2),
            figures.NONE
            if item.correlation.low is None
            else figures.signed_interval(item.correlation.low, item.correlation.high, 2),
            figures.p_value(p),
            str(item.correlation.n) + (f" ({item.correlation.dropped} not finite)" if item.correlation.dropped else ""),
        )
        for item, p in zip(ranked, adjusted, strict=True)
    ]
    when = "before the first step" if at == "start" else "at the best validation"
    left = ("data", "quantity", *(("family",) if several else ()))
    right = ("ρ", "95% interval", "p (Holm)", "runs")
    return Table(
        title=f"Spearman's ρ of probed quantities, read {when}, with the test figure",
        head=(*left, *right),
        rows=tuple(rows),
        align=("left",) * len(left) + ("right",) * len(right),
        notes=(
            "Over runs of all cells; of gradients the value at the first block, of representations at the last, if not "
            "said otherwise; growth: first block over last; imbalance: |ln growth|.",
            *_about_families(ranked),
            "Interval: BCa bootstrap over runs. Runs of one cell are alike, so it is too narrow as a statement on new "
            "cells.",
        ),
        fields=("dataset", "quantity", "family", "rho", "low", "high", "p", "p_holm", "n", "dropped"),
        records=tuple(
            (
                *(item.setting.dataset, item.name, item.family),
                *(item.correlation.rho, item.correlation.low, item.correlation.high),
                *(item.correlation.p, p, item.correlation.n, item.correlation.dropped),
            )
            for item, p in zip(ranked, adjusted, strict=True)
        ),
    )


def _strength(item: Predictor, found: Sequence[Predictor]) -> float:
    """Mean |ρ| over the families of a quantity on a ground, or over all runs where there is one family."""
    of = [other for other in found if (other.setting, other.name) == (item.setting, item.name)]
    counted = [other for other in of if other.family != ALL] or of
    return sum(abs(other.correlation.rho or 0.0) for other in counted) / len(counted)


def _about_families(found: Sequence[Predictor]) -> list[str]:
    """How to read all families together; the quantities named whose sign is another there than within a family."""
    pooled = {(item.setting, item.name): item.correlation for item in found if item.family == ALL}
    turned = [
        f"{item.name} ({figures.signed(together.rho, 2)}, but {figures.signed(item.correlation.rho, 2)} within "
        f"{item.family})"
        for item in found
        if item.family != ALL and _is_clear(item.correlation)
        for together in (pooled[item.setting, item.name],)
        if (together.rho or 0.0) * (item.correlation.rho or 0.0) < 0
    ]
    if all(item.family == ALL for item in found):
        return []
    said = f"ρ over {ALL} families together also measures how they differ"
    return [f"{said}; it has the opposite sign for {', '.join(turned)}." if turned else f"{said}."]


def _is_clear(measured: Correlation) -> bool:
    """Whether the interval of ρ excludes 0."""
    return measured.low is not None and measured.high is not None and measured.low * measured.high > 0


def _group(cell: Cell, among: Sequence[Cell]) -> str:
    """The cell's label on the first axis on which cells differ."""
    axes = (axis for axis in cell.axes if len({other.axes.get(axis) for other in among}) > 1)
    return next((f"{axis}={cell.axes[axis]}" for axis in axes), str(cell))


def _reading(run: Run, at: str) -> dict[str, Any]:
    """The values that count, by quantity; empty if nothing was measured."""
    rows = run.probes
    if at == "start":
        return rows[0] if rows else {}
    until = [row for row in rows if row["epoch"] <= run.result["best_epoch"]]
    return {quantity: value for row in until for quantity, value in row.items()}  # not every row has all of them


def _number(reading: dict[str, Any], name: str) -> float | None:
    quantity, _, end = name.partition("@")
    value = reading.get(quantity)
    if not isinstance(value, list):
        return value
    end = end or ("first" if quantity.startswith("gradients.") else "last")
    if end not in _ENDS:
        raise RunError(f"report.predictors — {name} — expected {quantity}@ and one of: {', '.join(_ENDS)}")
    if end in ("growth", "imbalance"):
        growth = value[0] / value[-1] if value[0] is not None and value[-1] else None
        if end == "growth" or growth is None:
            return growth
        return abs(math.log(growth)) if growth else math.inf
    return value[0] if end == "first" else value[-1]
