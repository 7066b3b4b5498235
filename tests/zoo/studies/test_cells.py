"""Cells: their scores, and which may stand in one column, side by side, and against a baseline."""

import math

import pytest

from zoo.errors import RunError
from zoo.studies.cells import (
    Cell,
    EvaluationSetting,
    Score,
    are_told_apart,
    check_column,
    check_comparable,
    check_distinct,
    check_side_by_side,
    is_finite,
)


def run(seed: int, test: float | None, split: int | None = None) -> Score:
    return Score(seed, split, test, 0.9, "finished", f"runs/{seed}")


def test_figures_are_finite_numbers():
    """None, NaN and infinities are no figures, zero is one."""
    assert [is_finite(value) for value in (None, math.nan, math.inf, 0.0)] == [False, False, False, True]


def test_a_cell_counts_its_runs():
    """Means are over the figures; the others are told apart by what became of them."""
    cell = Cell({"a": "x", "b": "1"}, None, (run(0, 0.5), run(1, None), run(2, math.nan)), failed=1, missing=2)
    assert (cell.tests, cell.vals, cell.runs) == ((0.5,), (0.9, 0.9, 0.9), 6)
    assert cell.shortfall == "2 without a figure, 1 failed, 2 not finished"
    assert Cell({}, None, (run(0, 0.5),)).shortfall == ""


def test_names_of_cells_runs_and_grounds():
    """A cell is named by its labels, a run by split and seed, for messages and notes."""
    assert str(Cell({"a": "x", "b.c": "1"}, None, ())) == "a=x, b.c=1"
    assert str(Cell({}, None, ())) == "the only cell"
    assert (run(3, 0.5).run, run(3, 0.5, split=1).run) == ("3", "1/3")
    assert run(3, 0.5).key < run(0, 0.5, split=0).key < run(1, 0.5, split=0).key < run(0, 0.5, split=1).key
    assert (
        str(EvaluationSetting("cora", "public", "accuracy", True, "s")) == "accuracy of nodes on cora, split public, s"
    )


OTHER = {
    "task": ("graphs", "expected one task"),
    "metric": ("rocauc", "expected one metric"),
    "higher_is_better": (False, "expected one metric"),
    "split": ("public", "expected one split of a data set"),
    "selection": ("last epoch", "expected one selection"),
}


@pytest.mark.parametrize("part", OTHER)
def test_a_column_has_one_ground(cell, part):
    """Another metric, direction, split or selection is refused, naming both cells and both values."""
    value, expected = OTHER[part]
    cells = [cell(norm="none"), cell(norm="pair"), cell(norm="layer", on={part: value})]
    with pytest.raises(RunError, match=rf"^table, column test — norm=none has .* and norm=layer has .* — {expected}"):
        check_column(cells, "column test")
    check_column(cells[:2], "column test")


def test_the_values_stand_in_the_message(cell):
    """What differs is said, with what to do."""
    with pytest.raises(RunError) as caught:
        check_column([cell(norm="none"), cell(norm="pair", on={"metric": "mae", "higher_is_better": False})], "test")
    assert str(caught.value) == (
        "table, test — norm=none has accuracy (higher is better) and norm=pair has mae (lower is better) — expected "
        "one metric — compare them in tables of their own"
    )


def test_data_sets_need_an_axis(cell):
    """Two data sets may share a column, each with its split, where labels decide which it is."""
    citeseer = {"dataset": "citeseer", "split": "public"}
    apart = [cell(data=data, norm=norm, on=on) for data, on in (("a", {}), ("b", citeseer)) for norm in ("x", "y")]
    check_column(apart, "test")
    mixed = [cell(norm="x", depth="2"), cell(norm="x", depth="4", on=citeseer), cell(norm="y", depth="4")]
    with pytest.raises(
        RunError, match=r"norm=x, depth=2 has cora and norm=x, depth=4 has citeseer — expected one data"
    ):
        check_column(mixed, "test")


def test_axes_of_the_data_tell_apart_together(cell):
    """Where no axis decides alone, those of recipe, data set, split and task may."""
    cells = [
        cell(axes={"dataset": name, "dataset.seed": seed}, on={"dataset": f"{name} seed={seed}"})
        for name in ("karate", "block-model")
        for seed in ("0", "1")
    ]
    assert are_told_apart(cells, "setting")
    check_column(cells, "test")
    other = [cell(axes={"a": a, "b": b}, on={"dataset": a + b}) for a in "xy" for b in "xy"]
    assert not are_told_apart(other, "setting")


def test_columns_on_different_ground_need_an_axis(cell):
    """Figures of one row are read against each other, so the labels have to say that they are not alike."""
    check_side_by_side([cell(split=split, on={"split": split}) for split in ("public", "random")])
    cells = [cell(norm="x", depth="2"), cell(norm="y", depth="2", on={"split": "public"}), cell(norm="y", depth="4")]
    cells.append(cell(norm="x", depth="4", on={"split": "public"}))
    with pytest.raises(
        RunError, match=r"side by side — norm=x, depth=2 has accuracy of nodes on cora, split random, train 0.6"
    ):
        check_side_by_side(cells)


@pytest.mark.parametrize("part", ["task", "metric", "split", "selection", "dataset"])
def test_a_baseline_stands_on_the_same_ground(cell, part):
    """Differences across settings mean nothing."""
    check_comparable(cell(norm="x"), cell(norm="y"))
    with pytest.raises(RunError, match=r"^table, against its baseline — norm=x has .* and norm=y has other"):
        check_comparable(cell(norm="x"), cell(norm="y", on={part: "other"}))


def test_two_cells_at_one_place_are_refused(cell):
    """Nothing would say which is which."""
    check_distinct([cell(a="1"), cell(a="2"), cell(b="1")])
    with pytest.raises(RunError, match=r"two cells are a=1, b=2 — expected cells that differ on an axis"):
        check_distinct([cell(axes={"b": "2", "a": "1"}), cell(axes={"a": "1", "b": "2"})])


def test_unfinished_cells_stand_anywhere(cell):
    """Without a run there is no setting to clash."""
    check_column([cell(a="1"), cell([], a="2", missing=3), cell([], a="3")], "test")
    check_side_by_side([cell([], a="2")])
    check_column([], "test")
