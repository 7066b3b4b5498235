"""The numbers behind a table: nothing rounded, nothing lost."""

import numpy as np

from zoo.studies.baseline import Comparison, compare
from zoo.studies.records import records


def rows_of(cells, comparisons=None, **options):
    """Records as one mapping a row."""
    fields, rows = records(cells, comparisons, **options)
    return [dict(zip(fields, row, strict=True)) for row in rows]


def test_every_number_at_full_precision(cell):
    """Axes, ground, mean and deviation as NumPy has them, and the figures of every run of any cell."""
    tests = [0.1 + 0.2, 1 / 3, None]
    first, second = rows_of([cell(tests, norm="x", failed=1), cell([0.5], norm="y", depth="2", missing=2)])
    assert first["norm"] == "x"
    assert (first["ground.dataset"], first["ground.metric"], first["ground.higher_is_better"]) == (
        "cora",
        "accuracy",
        True,
    )
    assert first["ground.task"] == "nodes"
    assert first["test.mean"] == np.mean(tests[:2])
    assert first["test.sd"] == np.std(tests[:2], ddof=1)
    assert (first["test.n"], first["runs.without_figure"], first["runs.failed"], first["runs.missing"]) == (2, 1, 1, 0)
    assert [first[f"test.run {seed}"] for seed in range(3)] == tests
    assert first["val.run 0"] == tests[0] + 0.01
    assert (first["depth"], second["depth"], second["test.run 1"], second["test.sd"]) == (None, "2", None, None)
    assert "delta.mean" not in first


def test_runs_of_several_splits(cell):
    """Each split and seed has its column, in their order."""
    fields, _ = records([cell([0.1, 0.2, 0.3, 0.4], splits=[0, 10], m="x")])
    assert [name for name in fields if name.startswith("test.run")] == [
        "test.run 0/0",
        "test.run 0/1",
        "test.run 10/0",
        "test.run 10/1",
    ]


def test_comparisons_stand_beside_them(cell):
    """Both p values raw and adjusted; empty for the baseline, and with its reason where there is no counterpart."""
    cells = [cell([0.1, 0.2, 0.4], m="base"), cell([0.2, 0.4, 0.5], m="x"), cell([0.3, 0.35, 0.5], m="y")]
    comparisons = compare(cells, {"m": "base"})
    base, x, _ = rows_of(cells, comparisons)
    assert [value for name, value in base.items() if name.startswith("delta.")] == [None] * 12
    assert isinstance(comparisons[1], Comparison)
    assert (x["delta.baseline"], x["delta.pairs"], x["delta.left_out"]) == ("m=base", 3, 0)
    assert (x["delta.mean"], x["delta.p_t"]) == (comparisons[1].paired.mean, comparisons[1].paired.t_p)
    assert (x["delta.p_t_holm"], x["delta.p_wilcoxon"]) == (comparisons[1].t_holm, None)
    alone = [cell(m="base", depth="2"), cell(m="x", depth="4")]
    assert rows_of(alone, compare(alone, {"m": "base"}))[1]["delta.reason"] == "there is no m=base, depth=4"


def test_a_cell_without_a_run(cell):
    """Known by its axes alone."""
    (row,) = rows_of([cell([], m="x", missing=3)])
    assert {name: value for name, value in row.items() if value not in (None, 0)} == {"m": "x", "runs.missing": 3}
