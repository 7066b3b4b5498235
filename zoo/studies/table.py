"""Cells as a table of text: a row for each, or two sets of axes laid across each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.studies import formatting as figures
from zoo.studies import notes
from zoo.studies.baseline import Comparison, NotCompared, compare, is_baseline
from zoo.studies.cells import Cell, is_figure
from zoo.studies.grounds import check_column, check_one_place, check_side_by_side
from zoo.studies.records import Value, records
from zoo.studies.statistics import Interval, summarise

Side = Literal["left", "right"]
Axes = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, with notes below it, and the numbers behind it.

    align: of each column. bold: (row, column) of entries to stand out. fields, records: heads and rows of the numbers
    at full precision, for CSV; without fields the text is all there is.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: tuple[Side, ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = frozenset()
    fields: tuple[str, ...] = ()
    records: tuple[tuple[Value, ...], ...] = field(default=(), repr=False)


def long_table(
    cells: Sequence[Cell],
    *,
    baseline: Mapping[str, str] | None = None,
    interval: Interval = "t",
    confidence: float = 0.95,
    values: bool = False,
    digits: int = figures.DIGITS,
    title: str = "",
) -> Table:
    """One row for each cell, in the order given: its axes, test mean ± sd, n, interval, validation mean.

    baseline: axis → label; each cell is then compared with the one that has these labels and is else at the same place:
    mean paired difference with its interval, pairs, p by t test and by Wilcoxon, Holm-adjusted over the table.
    values: show the figure of every run as well, as `split/seed: figure`.
    Raises: RunError if figures may not stand in one column, cells share a place, or the baseline is unknown or stands
    on other ground than a cell.
    """
    check_one_place(cells)
    comparisons = compare(cells, baseline, interval=interval, confidence=confidence) if baseline else None
    check_column(cells, "column test", "put what differs in the columns of a grid, or in tables of their own")
    axes = _axes(cells)
    share = figures.percent(confidence)
    head = [*axes, "test", "n", f"{share} interval", "val"]
    if comparisons is not None:
        head += [f"Δ test, {share} interval", "pairs", "p (t, Holm)", "p (Wilcoxon, Holm)"]
    rows = []
    for index, cell in enumerate(cells):
        test = summarise(cell.tests, interval=interval, confidence=confidence, range=cell.range)
        row = [
            *(cell.axes.get(axis, "") for axis in axes),
            figures.spread(test.mean, test.sd, digits),
            _count(cell),
            figures.interval(test.low, test.high, digits),
            figures.score(summarise(cell.vals).mean, digits),
        ]
        if baseline and comparisons is not None:
            row += _compared(comparisons[index], is_baseline(cell, baseline), digits)
        rows.append((*row, *([_each(cell, digits)] if values else [])))
    sides: tuple[Side, ...] = tuple(_side(cells, axis) for axis in axes)
    names, numbers = records(cells, comparisons, interval=interval, confidence=confidence)
    return Table(
        title=title or _title(cells),
        head=(*head, *(["runs"] if values else [])),
        rows=tuple(rows),
        align=sides + _columns("right", len(head) - len(axes)) + _columns("left", int(values)),
        notes=(
            *notes.on_figures(cells),
            *notes.on_runs(cells),
            *notes.on_interval(cells, interval, confidence),
            *(notes.on_comparisons(baseline, cells, comparisons) if baseline and comparisons is not None else ()),
        ),
        fields=names,
        records=numbers,
    )


def grid_table(
    cells: Sequence[Cell],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    best: Literal["row", "column"] | None = None,
    interval: Interval = "t",
    confidence: float = 0.95,
    digits: int = figures.DIGITS,
    title: str = "",
) -> Table:
    """Test mean ± sd with some axes down the side and others across the top, labels in the order of the cells.

    An entry shows its n where that is not the same for all. best: mark the best mean of each row or column, among
    figures on one ground, and all that look equal to it. interval, confidence: of the numbers behind the table.
    Raises: RunError if an axis is unknown or named twice, if cells fall on one entry, if figures may not stand in one
    column, or if no axis says why two columns stand on different ground.
    """
    check_one_place(cells)
    _check_axes(cells, rows, columns)
    tops, sides = _labels(cells, columns), _labels(cells, rows)
    entries: dict[tuple[Axes, Axes], Cell] = {}
    for cell in cells:
        place = _place(cell, rows), _place(cell, columns)
        if place in entries:
            axis = next(axis for axis in _axes(cells) if entries[place].axes.get(axis) != cell.axes.get(axis))
            raise RunError(
                f"table — {entries[place]} and {cell} fall on one entry — expected every axis with several labels in "
                f"rows or columns — put {axis!r} in one of them"
            )
        entries[place] = cell
    for top in tops:
        column = [cell for (_, at), cell in entries.items() if at == top]
        check_column(column, f"column {_top(columns, top)}", "put what differs in the columns")
    check_side_by_side(cells)
    equal = len({(len(cell.tests), cell.runs) for cell in cells}) <= 1
    fixed = [axis for axis in _axes(cells) if axis not in (*rows, *columns)]
    names, numbers = records(cells, interval=interval, confidence=confidence)
    throughout = [f"{axis}={cells[0].axes[axis]}" for axis in fixed if axis in cells[0].axes]
    return Table(
        title=title or _title(cells),
        head=(*rows, *(_top(columns, top) for top in tops)),
        rows=tuple((*side, *(_entry(entries.get((side, top)), equal, digits) for top in tops)) for side in sides),
        align=(*(_side(cells, axis) for axis in rows), *_columns("right", len(tops))),
        notes=(
            *([f"{figures.several(throughout)} throughout."] if throughout else ()),
            *notes.on_figures(cells),
            *notes.on_runs(cells),
            *([f"Bold: the best mean of its {best} on the same data."] if best else ()),
        ),
        bold=_best(entries, sides, tops, best, len(rows), digits),
        fields=names,
        records=numbers,
    )


def _compared(comparison: Comparison | NotCompared, is_base: bool, digits: int) -> list[str]:
    if isinstance(comparison, NotCompared):
        return ["baseline" if is_base else figures.NONE, *([figures.NONE] * 3)]
    delta = comparison.paired
    left = f" ({comparison.left_out} left out)" if comparison.left_out else ""
    ends = "" if delta.low is None else f" {figures.signed_interval(delta.low, delta.high, digits)}"
    return [
        figures.signed(delta.mean, digits) + ends,
        f"{delta.n}{left}",
        figures.p_value(comparison.t_holm),
        figures.p_value(comparison.wilcoxon_holm),
    ]


def _count(cell: Cell) -> str:
    """`3`, or `2 of 4; 1 without a figure, 1 failed`."""
    return f"{len(cell.tests)} of {cell.runs}; {cell.shortfall}" if cell.shortfall else str(len(cell.tests))


def _each(cell: Cell, digits: int) -> str:
    """`0: 0.823, 1: – (non-finite)`."""
    return ", ".join(
        f"{score.run}: {figures.score(score.test, digits)}" + ("" if is_figure(score.test) else f" ({score.status})")
        for score in cell.scores
    )


def _entry(cell: Cell | None, equal: bool, digits: int) -> str:
    if cell is None:
        return ""
    test = summarise(cell.tests)
    short = f"{test.n} of {cell.runs}" if cell.shortfall else str(test.n)
    return figures.spread(test.mean, test.sd, digits) + ("" if equal else f" ({short})")


def _best(
    entries: Mapping[tuple[Axes, Axes], Cell],
    sides: Sequence[Axes],
    tops: Sequence[Axes],
    best: Literal["row", "column"] | None,
    offset: int,
    digits: int,
) -> frozenset[tuple[int, int]]:
    """Where the best means stand; nothing is best of one."""
    if best is None:
        return frozenset()
    lines: dict[tuple[int, object], list[tuple[float, tuple[int, int]]]] = {}
    for row, side in enumerate(sides):
        for column, top in enumerate(tops):
            cell = entries.get((side, top))
            if cell and cell.ground and cell.tests:
                line = (row if best == "row" else column, cell.ground)
                mean = round(float(summarise(cell.tests).mean or 0), digits)
                key = mean if cell.ground.higher_is_better else -mean
                lines.setdefault(line, []).append((key, (row, column + offset)))
    found: set[tuple[int, int]] = set()
    for members in lines.values():
        if len(members) > 1:
            highest = max(key for key, _ in members)
            found |= {place for key, place in members if key == highest}
    return frozenset(found)


def _axes(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(axis for cell in cells for axis in cell.axes))


def _labels(cells: Sequence[Cell], axes: Sequence[str]) -> list[Axes]:
    """The combinations of labels that cells have, each axis in the order in which its labels come."""
    order = {axis: list(dict.fromkeys(cell.axes.get(axis, "") for cell in cells)) for axis in axes}
    found = dict.fromkeys(_place(cell, axes) for cell in cells)
    return sorted(
        found, key=lambda labels: [order[axis].index(label) for axis, label in zip(axes, labels, strict=True)]
    )


def _place(cell: Cell, axes: Sequence[str]) -> Axes:
    return tuple(cell.axes.get(axis, "") for axis in axes)


def _top(axes: Sequence[str], labels: Axes) -> str:
    """The head of a column: its labels; a number with the last word of its axis, as it says little alone."""
    words = [
        f"{axis.split('.')[-1]} {label}" if figures.is_number(label) else label
        for axis, label in zip(axes, labels, strict=True)
    ]
    return ", ".join(words) or "test"


def _side(cells: Sequence[Cell], axis: str) -> Side:
    labels = [cell.axes[axis] for cell in cells if axis in cell.axes]
    return "right" if labels and all(map(figures.is_number, labels)) else "left"


def _columns(side: Side, number: int) -> tuple[Side, ...]:
    return (side,) * number


def _title(cells: Sequence[Cell]) -> str:
    grounds = [cell.ground for cell in cells if cell.ground]
    metrics = figures.several(list(dict.fromkeys(ground.metric for ground in grounds)))
    datasets = list(dict.fromkeys(ground.dataset.split()[0] for ground in grounds))  # options stand in the notes
    return " ".join(["test", metrics, *(["on", figures.several(datasets)] if datasets else [])]).strip()


def _check_axes(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str]) -> None:
    axes = _axes(cells)
    for index, axis in enumerate([*rows, *columns]):
        if axis not in axes:
            raise RunError(
                f"table — {axis!r} is no axis — expected one of: {', '.join(axes) or 'none'}{did_you_mean(axis, axes)}"
            )
        if axis in [*rows, *columns][:index]:
            raise RunError(f"table — {axis!r} is named twice — expected each axis in rows or in columns once")
