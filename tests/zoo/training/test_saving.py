"""When a state is due: to the step where that is asked for, else by what saving costs and what could be lost."""

import pytest

from zoo.recipe.recipe import Training
from zoo.training.saving import Saving


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def due_steps(saving, clock, *, steps, seconds, cost):
    """The steps after which a state is saved, when each takes so long, and a save takes `cost`."""
    saved = []
    saving.begin(0)
    for step in range(1, steps + 1):
        clock.now += seconds
        if saving.is_due(step):
            clock.now += cost
            saving.made(step, cost)
            saved.append(step)
    return saved


@pytest.mark.parametrize(("save", "every"), [("7 steps", 7), ("2 epochs", 10), ("10%", 10)])
def test_what_is_asked_for_is_kept_to_the_step(save, every):
    """Whatever it costs."""
    clock = Clock()
    saving = Saving(Training(save=save), 5, 100, clock)
    assert due_steps(saving, clock, steps=100, seconds=0.001, cost=60) == list(range(every, 101, every))


def test_a_tenth_of_the_training_where_saving_is_cheap():
    """Ten states, evenly."""
    clock = Clock()
    saving = Saving(Training(), 5, 1000, clock)
    assert due_steps(saving, clock, steps=1000, seconds=0.1, cost=0.1) == list(range(100, 1001, 100))


def test_cheap_steps_are_not_spent_on_saving():
    """Of many steps of a millisecond, saving takes no more than 2 % after the first."""
    clock = Clock()
    saved = due_steps(Saving(Training(), 1, 4000, clock), clock, steps=4000, seconds=0.001, cost=0.02)
    assert saved == pytest.approx([400, 1400, 2400, 3400], abs=3)


def test_no_more_than_ten_minutes_are_lost():
    """A training of days saves more often than every tenth."""
    clock = Clock()
    saved = due_steps(Saving(Training(), 1, 10_000, clock), clock, steps=100, seconds=60, cost=1)
    assert saved == list(range(10, 101, 10))


def test_the_clock_starts_with_the_training():
    """What was spent on getting ready, or before a resumption, makes no state due."""
    clock = Clock()
    saving = Saving(Training(), 1, 1000, clock)
    clock.now = 10_000
    saving.begin(500)
    assert not saving.is_due(501)
    assert not saving.is_due(599)
    assert saving.is_due(600)
