"""Which figures may stand together: equal task, metric, split and selection, on data that the table tells apart."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zoo.errors import RunError
from zoo.studies.cells import Cell, EvaluationSetting

_GROUND_AXES = ("recipe", "dataset", "split", "task")  # axes that speak of the ground, alone or with others
_ADVICE = "compare them in tables of their own"


def check_one_place(cells: Sequence[Cell]) -> None:
    """Raise RunError if two cells are at the same place on every axis."""
    places: set[tuple[tuple[str, str], ...]] = set()
    for cell in cells:
        place = tuple(sorted(cell.axes.items()))
        if place in places:
            raise RunError(
                f"table — two cells are {cell} — expected cells that differ on an axis — {_ADVICE}, or add an "
                "axis that tells them apart"
            )
        places.add(place)


def check_column(cells: Iterable[Cell], column: str, advice: str = _ADVICE) -> None:
    """Raise RunError unless the figures of the cells may stand in one column.

    Task, metric, its direction and the selection have to be equal. Data sets may differ if an axis tells them apart;
    the split may differ only with them, as a split is always one of some data.
    """
    measured = [cell for cell in cells if cell.ground is not None]
    for of, one in (
        (lambda ground: ground.task, "task"),
        (lambda ground: (ground.metric, ground.higher_is_better), "metric"),
        (lambda ground: ground.selection, "selection"),
    ):
        _refuse_unless_equal(measured, of, one, column, advice)
    by_data: dict[str, list[Cell]] = {}
    for cell in measured:
        by_data.setdefault(_ground(cell).dataset, []).append(cell)
    for members in by_data.values():
        _refuse_unless_equal(members, lambda ground: ground.split, "split of a data set", column, advice)
    if not told_apart(measured, lambda ground: ground.dataset):
        _refuse_unless_equal(measured, lambda ground: ground.dataset, "data set, or an axis for it,", column, advice)


def check_side_by_side(cells: Iterable[Cell], advice: str = _ADVICE) -> None:
    """Raise RunError unless an axis says which cells of a table stand on different ground."""
    measured = [cell for cell in cells if cell.ground is not None]
    if not told_apart(measured, lambda ground: ground):
        _refuse_unless_equal(measured, lambda ground: ground, "ground, or an axis for it,", "side by side", advice)


def check_comparable(cell: Cell, baseline: Cell) -> None:
    """Raise RunError if a cell stands on other ground than its baseline."""
    for of, one in (
        (lambda ground: ground.task, "task"),
        (lambda ground: (ground.metric, ground.higher_is_better), "metric"),
        (lambda ground: ground.dataset, "data set"),
        (lambda ground: ground.split, "split"),
        (lambda ground: ground.selection, "selection"),
    ):
        advice = "name a baseline that the cell shares its ground with"
        _refuse_unless_equal([cell, baseline], of, one, "against its baseline", advice)


def told_apart(cells: Sequence[Cell], of: Callable[[EvaluationSetting], Any]) -> bool:
    """Whether labels decide what `of` gives: those of one axis, or those of all that speak of the ground together."""
    axes = list(dict.fromkeys(axis for cell in cells for axis in cell.axes))
    together = [axis for axis in axes if axis.split(".")[0] in _GROUND_AXES]
    return not axes or any(_decide(group, cells, of) for group in [*([axis] for axis in axes), together])


def _decide(axes: Sequence[str], cells: Sequence[Cell], of: Callable[[EvaluationSetting], Any]) -> bool:
    decided: dict[tuple[str | None, ...], Any] = {}
    for cell in cells:
        labels, value = tuple(cell.axes.get(axis) for axis in axes), of(_ground(cell))
        if decided.setdefault(labels, value) != value:
            return False
    return True


def _refuse_unless_equal(
    cells: Sequence[Cell], of: Callable[[EvaluationSetting], Any], one: str, where: str, advice: str
) -> None:
    """Raise RunError naming the first two cells whose values of `of` differ."""
    for cell in cells:
        first, second = of(_ground(cells[0])), of(_ground(cell))
        if first != second:
            raise RunError(
                f"table, {where} — {cells[0]} has {_said(first)} and {cell} has {_said(second)} — expected one {one} "
                f"— {advice}"
            )


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        metric, higher = value
        return f"{metric} ({'higher' if higher else 'lower'} is better)"
    return str(value)


def _ground(cell: Cell) -> EvaluationSetting:
    assert cell.ground is not None
    return cell.ground
