"""The numbers behind a table, at full precision, one row for each cell; for CSV and other programs."""

from collections.abc import Sequence

from zoo.studies.baseline import Comparison, NotCompared
from zoo.studies.cells import Cell, Score, is_figure
from zoo.studies.statistics import Interval, summarise

Value = str | int | float | bool | None

_CELL = (
    *("ground.task", "ground.dataset", "ground.split", "ground.metric", "ground.higher_is_better", "ground.selection"),
    *("test.n", "test.mean", "test.sd", "test.low", "test.high", "val.mean"),
    *("runs.without_figure", "runs.failed", "runs.missing"),
)
_DELTA = (
    *("delta.baseline", "delta.mean", "delta.sd", "delta.low", "delta.high", "delta.pairs", "delta.left_out"),
    *("delta.p_t", "delta.p_t_holm", "delta.p_wilcoxon", "delta.p_wilcoxon_holm"),
    "delta.reason",
)


def records(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison | NotCompared] | None = None,
    *,
    interval: Interval = "t",
    confidence: float = 0.95,
) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    """Column names, and a row for each cell: axes, ground, figures, comparison if there is any, and each run's figures.

    Runs have the columns `test.run S` and `val.run S` with S the seed, or `split/seed`; None where there is no number.
    """
    axes = list(dict.fromkeys(axis for cell in cells for axis in cell.axes))
    keys = sorted({(score.key, score.run) for cell in cells for score in cell.scores})
    names = [run for _, run in keys]
    head = (
        *axes,
        *_CELL,
        *(_DELTA if comparisons is not None else ()),
        *(f"{part}.run {name}" for part in ("test", "val") for name in names),
    )
    rows: list[tuple[Value, ...]] = []
    for index, cell in enumerate(cells):
        by_run: dict[str, Score] = {score.run: score for score in cell.scores}
        runs = [by_run.get(name) for name in names]
        rows.append(
            (
                *(cell.axes.get(axis) for axis in axes),
                *_figures(cell, interval, confidence),
                *(_difference(comparisons[index]) if comparisons is not None else ()),
                *(score.test if score and is_figure(score.test) else None for score in runs),
                *(score.val if score and is_figure(score.val) else None for score in runs),
            )
        )
    return head, tuple(rows)


def _figures(cell: Cell, interval: Interval, confidence: float) -> tuple[Value, ...]:
    ground, tests = cell.ground, cell.tests
    test = summarise(tests, interval=interval, confidence=confidence, range=cell.range)
    return (
        *(
            (ground.task, ground.dataset, ground.split, ground.metric, ground.higher_is_better, ground.selection)
            if ground
            else (None,) * 6
        ),
        *(test.n, test.mean, test.sd, test.low, test.high, summarise(cell.vals).mean),
        *(len(cell.scores) - len(tests), cell.failed, cell.missing),
    )


def _difference(comparison: Comparison | NotCompared) -> tuple[Value, ...]:
    if isinstance(comparison, NotCompared):
        return *(None,) * (len(_DELTA) - 1), comparison.reason or None
    delta = comparison.paired
    return (
        *(str(comparison.baseline), delta.mean, delta.sd, delta.low, delta.high, delta.n, comparison.left_out),
        *(delta.t_p, comparison.t_holm, delta.wilcoxon_p, comparison.wilcoxon_holm),
        None,
    )
