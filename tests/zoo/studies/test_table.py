"""Tables: their layout, what is refused, and the numbers behind them, nothing rounded and nothing lost."""

import statistics

import numpy as np
import pytest
from scipy import stats

from zoo.errors import RunError
from zoo.studies.baseline import Comparison, compare
from zoo.studies.table import grid_table, long_table, records


def row_of(table, index):
    """A row as one mapping of heads to texts."""
    return dict(zip(table.head, table.rows[index], strict=True))


def study(cell, norms=("none", "pair"), depths=("2", "8", "64")):
    """Cells of a grid with figures that rise along it."""
    return [
        cell([0.5 + 0.1 * i + 0.01 * j + 0.002 * run for run in range(3)], axes={"norm": norm, "model.depth": depth})
        for i, norm in enumerate(norms)
        for j, depth in enumerate(depths)
    ]


def test_a_row_for_each_cell(cell):
    """Axes, mean ± sample deviation, count, Student's interval, and the mean validation."""
    tests = [0.81, 0.835, 0.79]
    table = long_table([cell(tests, norm="none", depth="2"), cell([0.5], norm="pair", depth="4")])
    low, high = stats.ttest_1samp(tests, 0).confidence_interval(0.95)
    assert row_of(table, 0) == {
        "norm": "none",
        "depth": "2",
        "test": f"{statistics.mean(tests):.3f} ± {statistics.stdev(tests):.3f}",
        "n": "3",
        "95 % interval": f"[{low:.3f}, {high:.3f}]",
        "val": f"{statistics.mean(tests) + 0.01:.3f}",
    }
    assert list(row_of(table, 1).values()) == ["pair", "4", "0.500", "1", "–", "0.510"]
    assert table.align == ("left", "right", "right", "right", "right", "right")
    assert table.title == "test accuracy on cora"


def test_runs_without_a_figure_are_told(cell):
    """How many of how many, and what became of the others; a cell without any has dashes."""
    table = long_table([cell([0.8, 0.82, None], a="1", failed=1), cell([], a="2", missing=3), cell([None], a="3")])
    assert [row_of(table, index)["n"] for index in range(3)] == [
        "2 of 4; 1 without a figure, 1 failed",
        "0 of 3; 3 not finished",
        "0 of 1; 1 without a figure",
    ]
    assert list(row_of(table, 1).values()) == ["2", "–", "0 of 3; 3 not finished", "–", "–"]


def test_comparison_with_a_baseline(cell):
    """The paired difference with its interval, its pairs, and adjusted p values."""
    base = [0.5, 0.52, 0.51, 0.53, 0.5, 0.54, 0.52]
    ours = [0.55, 0.56, 0.57, 0.56, 0.56, 0.58, 0.6]
    cells = [cell(base, m="base"), cell(ours, m="a"), cell([*base[:3], None], m="b"), cell(m="c", depth="2")]
    table = long_table(cells, baseline={"m": "base"})
    differences = [a - b for a, b in zip(ours, base, strict=True)]
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    row = row_of(table, 1)
    assert row["Δ test, 95 % interval"] == f"+{statistics.mean(differences):.3f} [+{low:.3f}, +{high:.3f}]"
    assert row["pairs"] == "7"
    assert row["p (t, Holm)"] == "<0.001", "the other comparison has no p and is not counted"
    assert row["p (Wilcoxon, Holm)"] == f"{2 / 2**7:.3f}"
    compared = ("Δ test, 95 % interval", "pairs", "p (t, Holm)", "p (Wilcoxon, Holm)")
    assert [row_of(table, 0)[head] for head in compared] == ["baseline", "–", "–", "–"]
    assert [row_of(table, 2)[head] for head in compared] == ["+0.000 [+0.000, +0.000]", "3 (4 left out)", "–", "–"]
    assert [row_of(table, 3)[head] for head in compared] == ["–"] * 4, "at its depth there is no baseline"


def test_a_fall_is_shown_with_a_real_minus(cell):
    """U+2212, as wide as the plus."""
    table = long_table([cell([0.8, 0.9], m="base"), cell([0.7, 0.75], m="a")], baseline={"m": "base"})
    assert row_of(table, 1)["Δ test, 95 % interval"].startswith("\N{MINUS SIGN}0.125 [\N{MINUS SIGN}0.4")


def test_every_value_on_request(cell):
    """Each run with split and seed; one without a figure with how it ended."""
    table = long_table([cell([0.8, None], m="x"), cell([0.1, 0.2], splits=[0, 3], m="y")], values=True)
    assert [row_of(table, index)["runs"] for index in range(2)] == [
        "0: 0.800, 1: – (non-finite)",
        "0/0: 0.100, 3/0: 0.200",
    ]
    assert table.align[-1] == "left"


def test_a_long_table_refuses_to_mix(cell):
    """Other metrics, splits and selections; data sets without an axis; two cells at a place."""
    for on in ({"metric": "rocauc"}, {"split": "public"}, {"selection": "tuned"}):
        with pytest.raises(RunError, match=r"table, column test — m=x has .* and m=y has "):
            long_table([cell(m="x"), cell(m="y", on=on)])
    cora, citeseer = {}, {"dataset": "citeseer", "split": "public"}
    cells = [cell(data=name, m=m, on=on) for name, on in (("a", cora), ("b", citeseer)) for m in ("x", "y")]
    assert len(long_table(cells, baseline={"m": "x"}).rows) == 4
    with pytest.raises(RunError, match="against its baseline — data=b, m=x has citeseer and data=a, m=x has cora"):
        long_table(cells, baseline={"data": "a"})
    with pytest.raises(RunError, match="two cells are m=x"):
        long_table([cell(m="x"), cell(m="x")])


def test_a_grid_lays_axes_across_each_other(cell):
    """Labels keep the order of the study; numbers at the top get the name of their axis."""
    table = grid_table(study(cell), ["norm"], ["model.depth"])
    assert table.head == ("norm", "depth 2", "depth 8", "depth 64")
    assert table.rows == (
        ("none", "0.502 ± 0.002", "0.512 ± 0.002", "0.522 ± 0.002"),
        ("pair", "0.602 ± 0.002", "0.612 ± 0.002", "0.622 ± 0.002"),
    )
    turned = grid_table(study(cell), ["model.depth"], ["norm"])
    assert turned.head == ("model.depth", "none", "pair")
    assert [row[0] for row in turned.rows] == ["2", "8", "64"]
    assert turned.align == ("right", "right", "right")


def test_several_axes_on_a_side(cell):
    """All combinations that there are, in the order of the labels; what is nowhere is empty."""
    cells = [cell(a=a, b=b, c=c) for c in ("u", "v") for b in ("q", "p") for a in ("1", "2")][:-1]
    table = grid_table(cells, ["c", "b"], ["a"])
    assert [row[:2] for row in table.rows] == [("u", "q"), ("u", "p"), ("v", "q"), ("v", "p")]
    assert table.rows[-1][2:] == ("0.820 ± 0.020", "")
    across = grid_table(cells, [], ["a", "b", "c"])
    assert across.head[0] == "a 1, q, u"
    assert len(across.rows) == 1


def test_counts_in_a_grid(cell):
    """In the notes where they are equal, else in every entry."""
    cells = [cell(m="x", d="a"), cell(m="y", d="a"), cell([0.8, 0.9, None], m="z", d="a", failed=1)]
    assert "over n = 3 runs (seeds 0–2)." in " ".join(grid_table(cells[:2], ["m"], ["d"]).notes)
    table = grid_table([*cells, cell([], m="w", d="a", missing=3)], ["m"], ["d"])
    assert [row[1] for row in table.rows] == [
        "0.820 ± 0.020 (3)",
        "0.820 ± 0.020 (3)",
        "0.850 ± 0.071 (2 of 4)",
        "– (0 of 3)",
    ]
    assert "m=z, d=a: 2 of 4; 1 without a figure, 1 failed." in table.notes


def test_an_axis_with_one_label_may_be_left_out(cell):
    """It is said in the notes; one with several labels is missed."""
    cells = study(cell, norms=("pair",))
    assert grid_table(cells, [], ["model.depth"]).notes[0] == "norm=pair throughout."
    with pytest.raises(RunError, match=r"norm=none, model.depth=2 and norm=pair, model.depth=2 fall on one entry") as e:
        grid_table(study(cell), [], ["model.depth"])
    assert "put 'norm' in one of them" in str(e.value)


def test_a_grid_refuses_to_mix(cell):
    """One setting in a column; data sets as columns are fine, and as rows with their splits."""
    other = {"dataset": "citeseer", "split": "public", "metric": "rocauc"}
    cells = [cell(m=m, data=data, on=on) for m in ("x", "y") for data, on in (("a", {}), ("b", other))]
    assert grid_table(cells, ["m"], ["data"]).head == ("m", "a", "b")
    with pytest.raises(RunError, match=r"table, column x — m=x, data=a has accuracy .* and m=x, data=b has rocauc"):
        grid_table(cells, ["data"], ["m"])
    with pytest.raises(RunError, match=r"column d — m=x, d=d has random, train 0\.6 and m=y, d=d has public"):
        grid_table([cell(m="x", d="d"), cell(m="y", d="d", on={"split": "public"})], ["m"], ["d"])


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (["norn"], ["model.depth"], r"'norn' is no axis — expected one of: norm, model.depth — did you mean 'norm'\?"),
        (["norm"], ["norm", "model.depth"], "'norm' is named twice"),
    ],
)
def test_axes_are_known_and_named_once(cell, rows, columns, message):
    """A mistake in the layout is told with what there is."""
    with pytest.raises(RunError, match=message):
        grid_table(study(cell), rows, columns)


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
def test_the_same_cells_give_the_same_table(cell, interval):
    """Byte for byte, resampling included."""
    first, second = (
        repr(long_table(study(cell), baseline={"norm": "none"}, interval=interval, values=True)) for _ in range(2)
    )
    assert first == second
    assert ("BCa" in first) == (interval == "bootstrap")


def test_nothing_to_show(cell):
    """No cells, or none that has begun, make an empty table and no error."""
    assert long_table([]).rows == ()
    assert grid_table([], [], []).rows == ()
    assert long_table([cell([], missing=1, m="x")]).rows == (("x", "–", "0 of 1; 1 not finished", "–", "–"),)


def test_every_number_at_full_precision(cell):
    """Axes, setting, mean and deviation as NumPy has them, and the figures of every run of any cell."""
    tests = [0.1 + 0.2, 1 / 3, None]
    first, second = records([cell(tests, norm="x", failed=1), cell([0.5], norm="y", depth="2", missing=2)])
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
    (fields,) = records([cell([0.1, 0.2, 0.3, 0.4], splits=[0, 10], m="x")])
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
    base, x, _ = records(cells, comparisons)
    assert [value for name, value in base.items() if name.startswith("delta.")] == [None] * 12
    assert isinstance(comparisons[1], Comparison)
    assert (x["delta.baseline"], x["delta.pairs"], x["delta.left_out"]) == ("m=base", 3, 0)
    assert (x["delta.mean"], x["delta.p_t"]) == (comparisons[1].paired.mean, comparisons[1].paired.t_p)
    assert (x["delta.p_t_holm"], x["delta.p_wilcoxon"]) == (comparisons[1].t_holm, None)
    alone = [cell(m="base", depth="2"), cell(m="x", depth="4")]
    assert records(alone, compare(alone, {"m": "base"}))[1]["delta.reason"] == "there is no m=base, depth=4"


def test_a_cell_without_a_run(cell):
    """Known by its axes alone."""
    (row,) = records([cell([], m="x", missing=3)])
    assert {name: value for name, value in row.items() if value not in (None, 0)} == {"m": "x", "runs.missing": 3}
