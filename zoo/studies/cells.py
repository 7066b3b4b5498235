"""Cells of a table: what was compared, its scores, and which of them may stand in one column."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from zoo.errors import RunError

_SETTING_AXES = ("recipe", "dataset", "split", "task")  # axes that tell settings apart, alone or together
_ADVICE = "compare them in tables of their own"


@dataclass(frozen=True)
class Score:
    """One run: its seed, the number of its split if that is fixed apart from the seed, and its scores.

    test, val: the metric at the best validation; None where there is no finite number. status: as the run ended.
    """

    seed: int
    split: int | None
    test: float | None
    val: float | None
    status: str
    path: str

    @property
    def key(self) -> tuple[int, int]:
        """(split, seed): runs of two cells with equal keys used the same data and random numbers, and make a pair."""
        return -1 if self.split is None else self.split, self.seed

    @property
    def run(self) -> str:
        """The key as text: `split/seed`, or the seed alone."""
        return str(self.seed) if self.split is None else f"{self.split}/{self.seed}"


@dataclass(frozen=True)
class EvaluationSetting:
    """Everything that must be equal for scores to be compared.

    selection: how the score was chosen, e.g. "test at best validation". range: least and greatest value of the metric,
    None where there is none.
    """

    dataset: str
    split: str
    metric: str
    higher_is_better: bool
    selection: str
    task: str = "nodes"
    range: tuple[float | None, float | None] = field(default=(None, None), compare=False)

    def __str__(self) -> str:
        return f"{self.metric} of {self.task} on {self.dataset}, split {self.split}, {self.selection}"


@dataclass(frozen=True)
class Cell:
    """One thing compared: its label on every axis (in the order of the study) and the scores of its runs.

    setting: None while no run is finished. scores: sorted by split and seed. failed: runs that an error ended.
    missing: runs not finished yet.
    """

    axes: Mapping[str, str]
    setting: EvaluationSetting | None
    scores: tuple[Score, ...]
    failed: int = 0
    missing: int = 0

    def __str__(self) -> str:
        return axes_in_words(self.axes) or "the only cell"

    @property
    def range(self) -> tuple[float | None, float | None]:
        """Least and greatest value that a score can have, None where there is none."""
        return self.setting.range if self.setting else (None, None)

    @property
    def tests(self) -> tuple[float, ...]:
        """The finite test scores."""
        return tuple(score.test for score in self.scores if is_finite(score.test))

    @property
    def vals(self) -> tuple[float, ...]:
        """The finite validation scores."""
        return tuple(score.val for score in self.scores if is_finite(score.val))

    @property
    def runs(self) -> int:
        """The number of runs that the cell was to have."""
        return len(self.scores) + self.failed + self.missing

    @property
    def shortfall(self) -> str:
        """Runs without a score, in words: `1 without a figure, 1 failed, 2 not finished`; empty if there are none."""
        counts = {
            "without a figure": len(self.scores) - len(self.tests),
            "failed": self.failed,
            "not finished": self.missing,
        }
        return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)


def is_finite(value: float | None) -> TypeGuard[float]:
    """Return whether there is a finite number."""
    return value is not None and math.isfinite(value)


def axes_in_words(axes: Mapping[str, str]) -> str:
    """Return `norm=none, depth=64`."""
    return ", ".join(f"{axis}={label}" for axis, label in axes.items())


def axes_of(cells: Iterable[Cell]) -> list[str]:
    """Return the axes of all cells, in the order in which they come."""
    return list(dict.fromkeys(axis for cell in cells for axis in cell.axes))


_PARTS: Mapping[str, Callable[[EvaluationSetting], object]] = {
    "setting": lambda setting: setting,
    "task": lambda setting: setting.task,
    "metric": lambda setting: f"{setting.metric} ({'higher' if setting.higher_is_better else 'lower'} is better)",
    "selection": lambda setting: setting.selection,
    "data set": lambda setting: setting.dataset,
    "split": lambda setting: setting.split,
}


def check_distinct(cells: Sequence[Cell]) -> None:
    """Raise RunError if two cells have the same label on every axis."""
    places = set()
    for cell in cells:
        place = frozenset(cell.axes.items())
        if place in places:
            raise RunError(
                f"table — two cells are {cell} — expected cells that differ on an axis — {_ADVICE}, or add an "
                "axis that tells them apart"
            )
        places.add(place)


def check_column(cells: Iterable[Cell], column: str, advice: str = _ADVICE) -> None:
    """Raise RunError unless the scores of the cells may stand in one column.

    Task, metric, its direction and the selection have to be equal. Data sets may differ if an axis tells them apart;
    the split may differ only with them.
    """
    measured = [cell for cell in cells if cell.setting]
    for part in ("task", "metric", "selection"):
        _require_equal(measured, part, column, advice)
    for dataset in dict.fromkeys(_part(cell, "data set") for cell in measured):
        members = [cell for cell in measured if _part(cell, "data set") == dataset]
        _require_equal(members, "split", column, advice, "split of a data set")
    if not are_told_apart(measured, "data set"):
        _require_equal(measured, "data set", column, advice, "data set, or an axis for it,")


def check_side_by_side(cells: Iterable[Cell], advice: str = _ADVICE) -> None:
    """Raise RunError unless an axis tells which cells of a table have different settings."""
    measured = [cell for cell in cells if cell.setting]
    if not are_told_apart(measured, "setting"):
        _require_equal(measured, "setting", "side by side", advice, "setting, or an axis for it,")


def check_comparable(cell: Cell, baseline: Cell) -> None:
    """Raise RunError if a cell has another setting than its baseline."""
    for part in ("task", "metric", "data set", "split", "selection"):
        advice = "name a baseline with the same setting as the cell"
        _require_equal([cell, baseline], part, "against its baseline", advice)


def are_told_apart(cells: Sequence[Cell], part: str) -> bool:
    """Return whether labels determine a part of the setting: on one axis, or on those of recipe and data together."""
    axes = axes_of(cells)
    together = [axis for axis in axes if axis.split(".")[0] in _SETTING_AXES]
    for group in [*([axis] for axis in axes), together]:
        labels = [tuple(cell.axes.get(axis) for axis in group) for cell in cells]
        values = [_part(cell, part) for cell in cells]
        if len(set(zip(labels, values, strict=True))) == len(set(labels)):
            return True
    return not axes


def _require_equal(cells: Sequence[Cell], part: str, where: str, advice: str, expected: str = "") -> None:
    """Raise RunError naming the first two cells that differ in a part of their setting."""
    for cell in cells:
        first, second = _part(cells[0], part), _part(cell, part)
        if first != second:
            raise RunError(
                f"table, {where} — {cells[0]} has {first} and {cell} has {second} — expected one {expected or part} "
                f"— {advice}"
            )


def _part(cell: Cell, part: str) -> object:
    assert cell.setting is not None
    return _PARTS[part](cell.setting)
