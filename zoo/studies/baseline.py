"""Each cell against its baseline, with p values that allow for how many comparisons there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.studies.cells import Cell
from zoo.studies.grounds import check_comparable
from zoo.studies.statistics import Interval, Paired, Range, holm, paired, pairs


@dataclass(frozen=True)
class Comparison:
    """A cell less its baseline, over paired runs.

    t_holm, wilcoxon_holm: p values adjusted over all comparisons made together, each test for itself.
    """

    baseline: Cell
    paired: Paired
    left_out: int
    t_holm: float | None
    wilcoxon_holm: float | None


@dataclass(frozen=True)
class NotCompared:
    """Why a cell has no difference to a baseline; no reason for a baseline itself."""

    reason: str = ""


def compare(
    cells: Sequence[Cell], baseline: Mapping[str, str], *, interval: Interval = "t", confidence: float = 0.95
) -> list[Comparison | NotCompared]:
    """Compare each cell with the one whose axes are equal but for those in `baseline`, which has these labels.

    A baseline itself is not, nor is a cell without a counterpart, or where the two have no finished run in common.
    Raises: RunError if `baseline` names no axis or label of theirs, or a cell stands on other ground than its baseline.
    """
    _check_known(cells, baseline)
    places = {_place(cell.axes): cell for cell in cells}
    found: list[tuple[Cell, Paired, int] | NotCompared] = []
    for cell in cells:
        other = places.get(_place({**cell.axes, **baseline}))
        if reason := _why_not(cell, other, baseline, cells):
            found.append(reason)
            continue
        assert other is not None
        check_comparable(cell, other)
        matched = pairs(cell, other)
        if matched.values:
            result = paired(
                matched.values, matched.baseline, interval=interval, confidence=confidence, range=_range(cell)
            )
            found.append((other, result, matched.left_out))
        else:
            found.append(NotCompared(f"no split and seed in common with {other}"))
    t = holm([item[1].t_p if isinstance(item, tuple) else None for item in found])
    wilcoxon = holm([item[1].wilcoxon_p if isinstance(item, tuple) else None for item in found])
    return [
        Comparison(*item, t_holm, wilcoxon_holm) if isinstance(item, tuple) else item
        for item, t_holm, wilcoxon_holm in zip(found, t, wilcoxon, strict=True)
    ]


def is_baseline(cell: Cell, baseline: Mapping[str, str]) -> bool:
    """Whether the cell is one that others are compared with."""
    return all(cell.axes.get(axis) == label for axis, label in baseline.items())


def _why_not(cell: Cell, other: Cell | None, baseline: Mapping[str, str], cells: Sequence[Cell]) -> NotCompared | None:
    """Why a cell is not compared with its counterpart among the cells; None if it is."""
    if other is cell:
        return NotCompared()
    if other is None:
        axes = [axis for axis in cell.axes if len({one.axes.get(axis) for one in cells}) > 1]
        wanted = {axis: {**cell.axes, **baseline}[axis] for axis in dict.fromkeys([*baseline, *axes])}
        return NotCompared(f"there is no {', '.join(f'{axis}={label}' for axis, label in wanted.items())}")
    return next((NotCompared(f"no run of {one} is finished") for one in (cell, other) if one.ground is None), None)


def _range(cell: Cell) -> Range:
    """What a difference of two figures of the cell's metric lies within."""
    low, high = cell.range
    return (None, None) if low is None or high is None else (low - high, high - low)


def _place(axes: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(axes.items())


def _check_known(cells: Sequence[Cell], baseline: Mapping[str, str]) -> None:
    axes = list(dict.fromkeys(axis for cell in cells for axis in cell.axes))
    for axis, label in baseline.items():
        if axis not in axes:
            raise RunError(
                f"baseline — {axis!r} is no axis — expected one of: {', '.join(axes) or 'none'}"
                f"{did_you_mean(axis, axes)}"
            )
        labels = list(dict.fromkeys(cell.axes[axis] for cell in cells if axis in cell.axes))
        if label not in labels:
            raise RunError(
                f"baseline {axis} — no cell is {label!r} there — expected one of: {', '.join(labels)}"
                f"{did_you_mean(label, labels)}"
            )
    if cells and not any(is_baseline(cell, baseline) for cell in cells):
        wanted = ", ".join(f"{axis}={label}" for axis, label in baseline.items())
        raise RunError(f"baseline — no cell is {wanted} — expected labels that one cell has together")
