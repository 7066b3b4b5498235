"""Tables of cells: one row for each, or two sets of axes laid across each other, and the numbers behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from registry.name_errors import did_you_mean
from zoo.errors import RunError
from zoo.studies import formatting, notes
from zoo.studies.baseline import Comparison, NotCompared, compare, is_baseline
from zoo.studies.cells import Cell, axes_of, check_column, check_distinct, check_side_by_side, is_finite
from zoo.studies.statistics import Interval, summarise

Side = Literal["left", "right"]
Labels = tuple[str, ...]  # of a cell, on some axes
Value = str | int | float | bool | None

_DELTA = (
    *("delta.baseline", "delta.mean", "delta.sd", "delta.low", "delta.high", "delta.pairs", "delta.left_out"),
    *("delta.p_t", "delta.p_t_holm", "delta.p_wilcoxon", "delta.p_wilcoxon_holm", "delta.reason"),
)


@dataclass(frozen=True)
class Table:
    """Text in rows and columns, with notes below it.

    align: of each column. records: the numbers behind the table at full precision, one mapping for each row of a CSV;
    without them the text is all there is.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: tuple[Side, ...]
    notes: tuple[str, ...] = ()
    records: tuple[Mapping[str, Value], ...] = field(default=(), repr=False)


def long_table(
    cells: Sequence[Cell],
    *,
    baseline: Mapping[str, str] | None = None,
    interval: Interval = "t",
    values: bool = False,
) -> Table:
    """Lay out one row for each cell, in the order given: its axes, test mean ± sd, n, interval, validation mean.

    baseline: axis → label; each cell is then compared with the one that has these labels and else the same:
    mean paired difference with its interval, pairs, p by t test and by Wilcoxon, Holm-adjusted over the table.
    values: show the score of every run as well, as `split/seed: score`.
    Raises: RunError if scores may not stand in one column, cells have the same labels, or the baseline is unknown or
    has another setting than a cell.
    """
    check_distinct(cells)
    comparisons = compare(cells, baseline, interval) if baseline else None
    check_column(cells, "column test", "put what differs in the columns of a grid, or in tables of their own")
    axes = axes_of(cells)
    head = [*axes, "test", "n", "95 % interval", "val"]
    if comparisons:
        head += ["Δ test, 95 % interval", "pairs", "p (t, Holm)", "p (Wilcoxon, Holm)"]
    rows = []
    for index, cell in enumerate(cells):
        test = summarise(cell.tests, interval=interval, range=cell.range)
        row = [
            *(cell.axes.get(axis, "") for axis in axes),
            formatting.spread(test.mean, test.sd),
            f"{len(cell.tests)} of {cell.runs}; {cell.shortfall}" if cell.shortfall else str(len(cell.tests)),
            formatting.interval(test.low, test.high),
            formatting.score(summarise(cell.vals).mean),
        ]
        if baseline and comparisons:
            row += _differences(comparisons[index], is_baseline(cell, baseline))
        rows.append((*row, *([_scores(cell)] if values else [])))
    align = _align(cells, axes, len(head) - len(axes))
    return Table(
        title=_title(cells),
        head=(*head, *(["runs"] if values else [])),
        rows=tuple(rows),
        align=(*align, "left") if values else align,
        notes=(
            *notes.on_settings(cells),
            *notes.on_runs(cells),
            *notes.on_interval(cells, interval),
            *(notes.on_comparisons(baseline, cells, comparisons) if baseline and comparisons else ()),
        ),
        records=records(cells, comparisons, interval=interval),
    )


def grid_table(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str]) -> Table:
    """Lay out test mean ± sd with some axes down the side and others across the top, labels in the order of the cells.

    An entry shows its n where that is not the same for all.
    Raises: RunError if an axis is unknown or named twice, if cells fall on one entry, if scores may not stand in one
    column, or if no axis tells why two columns have different settings.
    """
    check_distinct(cells)
    _check_axes(cells, rows, columns)
    tops, sides = _combinations(cells, columns), _combinations(cells, rows)
    entries: dict[tuple[Labels, Labels], Cell] = {}
    for cell in cells:
        other = entries.setdefault((_labels(cell, rows), _labels(cell, columns)), cell)
        if other is not cell:
            axis = next(axis for axis in axes_of(cells) if other.axes.get(axis) != cell.axes.get(axis))
            raise RunError(
                f"table — {other} and {cell} fall on one entry — expected every axis with several labels in "
                f"rows or columns — put {axis!r} in one of them"
            )
    for top in tops:
        column = [cell for (_, labels), cell in entries.items() if labels == top]
        check_column(column, f"column {_top(columns, top)}", "put what differs in the columns")
    check_side_by_side(cells)
    equal = len({(len(cell.tests), cell.runs) for cell in cells}) <= 1
    fixed = [f"{axis}={cells[0].axes[axis]}" for axis in axes_of(cells[:1]) if axis not in (*rows, *columns)]
    return Table(
        title=_title(cells),
        head=(*rows, *(_top(columns, top) for top in tops)),
        rows=tuple((*side, *(_entry(entries.get((side, top)), equal) for top in tops)) for side in sides),
        align=_align(cells, rows, len(tops)),
        notes=(
            *([f"{formatting.several(fixed)} throughout."] if fixed else ()),
            *notes.on_settings(cells),
            *notes.on_runs(cells),
        ),
        records=records(cells),
    )


def records(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison | NotCompared] | None = None,
    *,
    interval: Interval = "t",
) -> tuple[dict[str, Value], ...]:
    """Return a row for each cell: axes, setting, figures, comparison if there is any, and the scores of each run.

    Runs have the columns `test.run S` and `val.run S` with S the seed, or `split/seed`; None where there is no number.
    """
    axes = axes_of(cells)
    names = [name for _, name in sorted({(score.key, score.run) for cell in cells for score in cell.scores})]
    rows: list[dict[str, Value]] = []
    for index, cell in enumerate(cells):
        setting = asdict(cell.setting) if cell.setting else {}
        test = summarise(cell.tests, interval=interval, range=cell.range)
        row: dict[str, Value] = {axis: cell.axes.get(axis) for axis in axes}
        for part in ("task", "dataset", "split", "metric", "higher_is_better", "selection"):
            row[f"ground.{part}"] = setting.get(part)
        row |= {"test.n": test.n, "test.mean": test.mean, "test.sd": test.sd, "test.low": test.low}
        row |= {"test.high": test.high, "val.mean": summarise(cell.vals).mean}
        row |= {"runs.without_figure": len(cell.scores) - test.n, "runs.failed": cell.failed}
        row |= {"runs.missing": cell.missing, **(_delta_record(comparisons[index]) if comparisons is not None else {})}
        by_name = {score.run: score for score in cell.scores}
        for part in ("test", "val"):
            for name in names:
                score = by_name.get(name)
                value = None if score is None else score.test if part == "test" else score.val
                row[f"{part}.run {name}"] = value if is_finite(value) else None
        rows.append(row)
    return tuple(rows)


def _delta_record(item: Comparison | NotCompared) -> dict[str, Value]:
    values: tuple[Value, ...] = (None,) * 11
    if isinstance(item, Comparison):
        delta = item.paired
        values = (
            *(str(item.baseline), delta.mean, delta.sd, delta.low, delta.high, delta.n, item.left_out),
            *(delta.t_p, item.t_holm, delta.wilcoxon_p, item.wilcoxon_holm),
        )
    reason = item.reason if isinstance(item, NotCompared) and item.reason else None
    return dict(zip(_DELTA, (*values, reason), strict=True))


def _differences(comparison: Comparison | NotCompared, is_base: bool) -> list[str]:
    if isinstance(comparison, NotCompared):
        return ["baseline" if is_base else formatting.NONE, *([formatting.NONE] * 3)]
    delta = comparison.paired
    left_out = f" ({comparison.left_out} left out)" if comparison.left_out else ""
    ends = "" if delta.low is None else f" {formatting.signed_interval(delta.low, delta.high)}"
    return [
        formatting.signed(delta.mean) + ends,
        f"{delta.n}{left_out}",
        formatting.p_value(comparison.t_holm),
        formatting.p_value(comparison.wilcoxon_holm),
    ]


def _scores(cell: Cell) -> str:
    return ", ".join(
        f"{score.run}: {formatting.score(score.test)}" + ("" if is_finite(score.test) else f" ({score.status})")
        for score in cell.scores
    )


def _entry(cell: Cell | None, equal: bool) -> str:
    if cell is None:
        return ""
    test = summarise(cell.tests)
    runs = f"{test.n} of {cell.runs}" if cell.shortfall else str(test.n)
    return formatting.spread(test.mean, test.sd) + ("" if equal else f" ({runs})")


def _labels(cell: Cell, axes: Sequence[str]) -> Labels:
    return tuple(cell.axes.get(axis, "") for axis in axes)


def _combinations(cells: Sequence[Cell], axes: Sequence[str]) -> list[Labels]:
    """Return the combinations of labels that cells have, each axis in the order in which its labels come."""
    order = {axis: list(dict.fromkeys(cell.axes.get(axis, "") for cell in cells)) for axis in axes}
    found = dict.fromkeys(_labels(cell, axes) for cell in cells)
    return sorted(
        found, key=lambda labels: [order[axis].index(label) for axis, label in zip(axes, labels, strict=True)]
    )


def _top(axes: Sequence[str], labels: Labels) -> str:
    """Return the head of a column: its labels; a number with the last word of its axis, as it says little alone."""
    words = [
        f"{axis.split('.')[-1]} {label}" if formatting.is_number(label) else label
        for axis, label in zip(axes, labels, strict=True)
    ]
    return ", ".join(words) or "test"


def _align(cells: Sequence[Cell], axes: Sequence[str], figures: int) -> tuple[Side, ...]:
    """Return the alignment of columns of labels, numbers to the right, and of so many columns of figures."""
    sides: list[Side] = []
    for axis in axes:
        labels = [cell.axes[axis] for cell in cells if axis in cell.axes]
        sides.append("right" if labels and all(map(formatting.is_number, labels)) else "left")
    sides.extend("right" for _ in range(figures))
    return tuple(sides)


def _title(cells: Sequence[Cell]) -> str:
    settings = [cell.setting for cell in cells if cell.setting]
    metrics = formatting.several(list(dict.fromkeys(setting.metric for setting in settings)))
    datasets = list(dict.fromkeys(setting.dataset.split()[0] for setting in settings))  # options stand in the notes
    return " ".join(["test", metrics, *(["on", formatting.several(datasets)] if datasets else [])]).strip()


def _check_axes(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str]) -> None:
    axes, named = axes_of(cells), [*rows, *columns]
    for index, axis in enumerate(named):
        if axis not in axes:
            raise RunError(
                f"table — {axis!r} is no axis — expected one of: {', '.join(axes) or 'none'}{did_you_mean(axis, axes)}"
            )
        if axis in named[:index]:
            raise RunError(f"table — {axis!r} is named twice — expected each axis in rows or in columns once")
