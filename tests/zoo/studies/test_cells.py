"""Cells: what counts as a figure, and what became of the other runs."""

import math

from zoo.studies.cells import Cell, EvaluationSetting, Score, is_figure


def run(seed: int, test: float | None, split: int | None = None) -> Score:
    return Score(seed, split, test, 0.9, "finished", f"runs/{seed}")


def test_figures_are_finite_numbers():
    """None, NaN and infinities are no figures, zero is one."""
    assert [is_figure(value) for value in (None, math.nan, math.inf, 0.0)] == [False, False, False, True]


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
