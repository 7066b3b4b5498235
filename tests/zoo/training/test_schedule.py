"""Learning-rate factors against their closed forms."""

import math

import pytest

from zoo.errors import BuildError
from zoo.recipe.fields import Length
from zoo.training.schedule import Constant, Cosine, Linear, Step


def test_constant_is_one():
    """The factor never changes."""
    assert [Constant(10, 1)(step) for step in (0, 5, 9)] == [1, 1, 1]


@pytest.mark.parametrize("step", [0, 3, 9, 10, 37, 99])
def test_cosine_follows_its_formula(step):
    """Ten steps of warm-up, then final + (1 − final)(1 + cos πt)/2."""
    schedule = Cosine(100, 1, warmup=Length(10, "%"), final=0.1)
    expected = (step + 1) / 10 if step < 10 else 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (step - 10) / 90))
    assert schedule(step) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("step", [0, 1, 50, 99])
def test_linear_follows_its_formula(step):
    """Without warm-up a straight line from 1 to final."""
    assert Linear(100, 1, final=0.2)(step) == pytest.approx(1 - 0.8 * step / 100, abs=1e-12)


def test_step_multiplies_at_each_interval():
    """Two epochs of five steps make one interval."""
    schedule = Step(100, 5, every=Length(2, "epochs"), factor=0.5)
    assert [schedule(step) for step in (0, 9, 10, 19, 20)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("schedule", [Cosine, Linear])
@pytest.mark.parametrize("warmup", [Length(30, "epochs"), Length(100, "%"), Length(20, "steps")])
def test_a_warm_up_without_end_is_refused(schedule, warmup):
    """The rate of the optimizer would never be reached; one step before the end it is."""
    with pytest.raises(BuildError, match=r"schedule\.warmup — .* are all of the training of 20 steps"):
        schedule(20, 1, warmup=warmup)
    assert max(map(schedule(20, 1, warmup=Length(19, "steps")), range(20))) == 1
