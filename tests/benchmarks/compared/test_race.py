import math

import pytest

from compared.contestant import Contestant
from compared.race import CurvesDiffer, Limits, race, result

QUICK = Limits(repeats=4, budget=math.inf, check=3)


class Fake(Contestant):
    """An epoch of known length, on a curve that may be off by something."""

    def __init__(self, name, seconds, off=0.0, order=None):
        super().__init__(name)
        self.seconds, self.off, self.order = seconds, off, [] if order is None else order

    def epoch(self):
        self.losses.append(2.0 - 0.1 * len(self.losses) + self.off)
        self.order.append(self.name)
        return self.seconds


def test_ratios_are_those_of_the_epochs():
    """A contestant that takes half the time has a ratio of a half, whatever the number of rounds."""
    done = result(race([Fake("one", 0.5), Fake("other", 1.0)], QUICK))
    assert done["ratio"]["other"] == [0.5, 0.5, 0.5]
    assert done["rounds"] == 4
    assert done["seconds"]["one"] == [0.5, 0.5, 0.5]
    assert done["losses_apart"] == {"other": 0.0}


def test_curves_that_differ_are_not_timed():
    """A loss that is off by more than the tolerance, as a share of the fall of the loss, stops the race."""
    order = []
    with pytest.raises(CurvesDiffer, match="other against one"):
        race([Fake("one", 1.0), Fake("other", 1.0, off=3e-4, order=order)], QUICK)
    assert len(order) == QUICK.check + 1
    assert race([Fake("one", 1.0), Fake("other", 1.0, off=1e-4)], QUICK).apart["other"] == pytest.approx(5e-4)


def test_a_loss_that_is_not_a_number_differs():
    """NaN is equal to nothing."""
    with pytest.raises(CurvesDiffer):
        race([Fake("one", 1.0), Fake("other", 1.0, off=math.nan)], QUICK)


def test_a_curve_that_does_not_move_says_nothing():
    """Two trainings that learn nothing are not taken for the same training."""
    still = Fake("one", 1.0), Fake("other", 1.0)
    with pytest.raises(CurvesDiffer, match="does not move"):
        race(still, Limits(repeats=3, check=1))


def test_everyone_begins_a_round_in_turn():
    """The order rotates, so that no contestant always comes after the same one."""
    order = []
    race([Fake(name, 1.0, order=order) for name in "abc"], Limits(repeats=3, budget=math.inf, check=2))
    assert "".join(order[9:]) == "abc" + "bca" + "cab"


def test_a_budget_leaves_three_rounds():
    """However short the time, a median is one of three rounds at least."""
    assert len(race([Fake("one", 1.0)], Limits(repeats=9, budget=0.0)).seconds["one"]) == 3


def test_short_epochs_are_averaged_over_a_turn():
    """A turn of short epochs has several, after one that is not counted."""
    one = Fake("one", 0.01)
    race([one], Limits(repeats=3, check=2))
    assert len(one.order) == 3 + 3 * (1 + 10)
