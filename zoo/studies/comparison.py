"""Each cell against its baseline, with p values that allow for how many comparisons there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.errors import did_you_mean
from zoo.errors import RunError
from zoo.studies.cells import Cell
from zoo.studies.grounds import check_comparable
from zoo.studies.statistics import Interval, Paired, holm, paired, pairs


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


def compare(
    cells: Sequence[Cell], baseline: Mapping[str, str], *, interval: Interval = "t", confidence: float = 0.95
) -> list[Comparison | None]:
    """Compare each cell with the one whose axes are equal but for those in `baseline`, which has these labels.

    None for a baseline itself, and where there is no counterpart or no run of either is finished.
    Raises: RunError if `baseline` names no axis or label of theirs, or a cell stands on other ground than its baseline.
    """
    _check_known(cells, baseline)
    places = {_place(cell.axes): cell for cell in cells}
    found: list[tuple[Cell, Paired, int] | None] = []
    for cell in cells:
        other = places.get(_place({**cell.axes, **baseline}))
        if other is None or other is cell or cell.ground is None or other.ground is None:
            found.append(None)
            continue
        check_comparable(cell, other)
        matched = pairs(cell, other)
        result = paired(matched.values, matched.baseline, interval=interval, confidence=confidence)
        found.append((other, result, matched.left_out))
    t = holm([None if item is None else item[1].t_p for item in found])
    wilcoxon = holm([None if item is None else item[1].wilcoxon_p for item in found])
    return [
        None if item is None else Comparison(*item, t_holm, wilcoxon_holm)
        for item, t_holm, wilcoxon_holm in zip(found, t, wilcoxon, strict=True)
    ]


def is_baseline(cell: Cell, baseline: Mapping[str, str]) -> bool:
    """Whether the cell is one that others are compared with."""
    return all(cell.axes.get(axis) == label for axis, label in baseline.items())


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
