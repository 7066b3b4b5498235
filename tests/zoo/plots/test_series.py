"""Quantities of the record as arrays."""

import numpy as np

from zoo.plots.series import clock_of, preferred, series


def at(step, epoch, **quantities):
    return {"step": step, "epoch": epoch, **quantities}


def test_a_series_is_what_was_recorded():
    """Steps without the quantity are left out; null and infinities are NaN; a number is one column."""
    rows = [at(0, 0, mu=[1.0, None]), at(5, 1), at(10, 2, mu=[float("inf"), 4.0], rate=0.5)]
    mu, rate = series(rows, "mu"), series(rows, "rate")
    assert mu is not None and rate is not None
    np.testing.assert_array_equal(mu.values, [[1, np.nan], [np.nan, 4]])
    assert (mu.steps.tolist(), mu.epochs.tolist()) == ([0, 10], [0, 2])
    np.testing.assert_array_equal(rate.values, [[0.5]])


def test_null_for_all_blocks_is_a_row_of_gaps():
    """A step at which nothing was finite keeps its place."""
    mu = series([at(0, 0, mu=None), at(1, 1, mu=[1.0, 2.0])], "mu")
    assert mu is not None
    np.testing.assert_array_equal(mu.values[1], [1, 2])
    assert np.isnan(mu.values[0]).all()


def test_nothing_finite_is_no_series():
    """Neither a missing quantity nor one that was never finite is drawn."""
    assert series([], "mu") is None
    assert series([at(0, 0)], "mu") is None
    assert series([at(0, 0, mu=[None, None]), at(1, 1, mu=None)], "mu") is None


def test_the_plain_subspace_comes_first():
    """Where only another subspace was measured, that one is taken, and named."""
    rows = [at(0, 0, **{"mu.degree": [3.0], "mu.limit": [2.0]})]
    found = preferred(rows, "mu")
    assert found is not None and found[0] == "limit"
    found = preferred([{**rows[0], "mu.plain": [1.0]}], "mu")
    assert found is not None and found[0] == "plain"
    assert preferred(rows, "nu") is None


def test_steps_where_an_epoch_was_measured_twice():
    """Time counts epochs, and steps as soon as two points would coincide."""
    once, twice = series([at(5, 1, a=1.0), at(10, 2, a=1.0)], "a"), series([at(5, 1, a=1.0), at(7, 1, a=1.0)], "a")
    assert once is not None and twice is not None
    assert (clock_of(once, None), clock_of(once, twice)) == ("epoch", "step")
    assert twice.times("step").tolist() == [5, 7]


def test_a_step_is_found_again():
    """Values are looked up by step; the time of a step between two is in proportion, and within the span."""
    found = series([at(0, 0, a=[1.0, 2.0]), at(10, 2, a=[3.0, 4.0])], "a")
    assert found is not None
    values = found.at(10)
    assert values is not None and values.tolist() == [3, 4]
    assert found.at(5) is None
    assert [found.time_of(step, "epoch") for step in (0, 5, 10, 99)] == [0, 1, 2, 2]
