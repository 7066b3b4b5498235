"""Comparison of cells with their baseline: paired differences, with p values adjusted for their number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.studies.cells import Cell, axes_in_words, axes_of, check_comparable, is_finite
from zoo.studies.statistics import Interval, Paired, holm, paired


@dataclass(frozen=True)
class Comparison:
    """A cell less its baseline, over paired runs.

    left_out: (split, seed) without a score on one side or both. t_holm, wilcoxon_holm: p values adjusted over all
    comparisons made together, each test for itself.
    """

    baseline: Cell
    paired: Paired
    left_out: int
    t_holm: float | None = None
    wilcoxon_holm: float | None = None


@dataclass(frozen=True)
class NotCompared:
    """A cell without a difference to a baseline, and the reason; none for a baseline itself."""

    reason: str = ""


def compare(
    cells: Sequence[Cell], baseline: Mapping[str, str], interval: Interval = "t"
) -> list[Comparison | NotCompared]:
    """Compare each cell with the one whose axes are equal but for those in `baseline`, which has these labels.

    A baseline itself is not compared, nor is a cell without a counterpart or a finished run in common with it.
    Raises: RunError if `baseline` names an unknown axis or label, or a cell has another setting than its baseline.
    """
    _check_known(cells, baseline)
    places = {frozenset(cell.axes.items()): cell for cell in cells}
    found: list[Comparison | NotCompared] = []
    for cell in cells:
        other = places.get(frozenset({**cell.axes, **baseline}.items()))
        if other is None:
            axes = [axis for axis in cell.axes if len({one.axes.get(axis) for one in cells}) > 1]
            wanted = {axis: {**cell.axes, **baseline}[axis] for axis in dict.fromkeys([*baseline, *axes])}
            found.append(NotCompared(f"there is no {axes_in_words(wanted)}"))
        elif other is cell:
            found.append(NotCompared())
        elif unfinished := [one for one in (cell, other) if one.setting is None]:
            found.append(NotCompared(f"no run of {unfinished[0]} is finished"))
        else:
            check_comparable(cell, other)
            ours, theirs, left_out = pairs(cell, other)
            if ours:
                low, high = cell.range
                ends = (None, None) if low is None or high is None else (low - high, high - low)
                found.append(Comparison(other, paired(ours, theirs, interval=interval, range=ends), left_out))
            else:
                found.append(NotCompared(f"no split and seed in common with {other}"))
    made = [item for item in found if isinstance(item, Comparison)]
    t, wilcoxon = holm([item.paired.t_p for item in made]), holm([item.paired.wilcoxon_p for item in made])
    adjusted = iter(
        [replace(item, t_holm=p, wilcoxon_holm=other) for item, p, other in zip(made, t, wilcoxon, strict=True)]
    )
    return [next(adjusted) if isinstance(item, Comparison) else item for item in found]


def pairs(cell: Cell, baseline: Cell) -> tuple[list[float], list[float], int]:
    """Match the runs of two cells by split and seed: scores of both, and the number of runs without a partner."""
    ours, theirs = (
        {score.key: score.test for score in side.scores if is_finite(score.test)} for side in (cell, baseline)
    )
    keys = {score.key for side in (cell, baseline) for score in side.scores}
    matched = sorted(ours.keys() & theirs.keys())
    return [ours[key] for key in matched], [theirs[key] for key in matched], len(keys) - len(matched)


def is_baseline(cell: Cell, baseline: Mapping[str, str]) -> bool:
    """Return whether others are compared with the cell."""
    return all(cell.axes.get(axis) == label for axis, label in baseline.items())


def baseline_named(cells: Sequence[Cell], name: str) -> dict[str, str]:
    """Return the axis and label of a name: `label`, or `axis=label` where several axes have that label.

    Raises: RunError if there is none, or more than one.
    """
    places = sorted({(axis, label) for cell in cells for axis, label in cell.axes.items()})
    fitting = [(axis, label) for axis, label in places if name in (label, f"{axis}={label}")]
    if len(fitting) == 1:
        return dict(fitting)
    if fitting:
        known = ", ".join(f"{axis}={label}" for axis, label in fitting)
        raise RunError(f"baseline {name!r} — is a label of several axes — expected one of: {known}")
    labels = list(dict.fromkeys(label for _, label in places))
    raise RunError(
        f"baseline {name!r} — no cell has that label — expected one of: {', '.join(labels)}{did_you_mean(name, labels)}"
    )


def _check_known(cells: Sequence[Cell], baseline: Mapping[str, str]) -> None:
    axes = axes_of(cells)
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
        raise RunError(f"baseline — no cell is {axes_in_words(baseline)} — expected labels that one cell has together")
