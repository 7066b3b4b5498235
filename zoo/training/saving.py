"""When the state of a training is saved."""

import time
from collections.abc import Callable
from typing import Any

from zoo.recipe.fields import Duration, Length
from zoo.recipe.recipe import Training

SHARE = 0.02  # of the time, that saving may take
LONGEST = 600.0  # seconds of training that may be lost
_TENTH = Length(10, "%")

State = dict[str, Any]  # all that a training needs to resume, as tensors and plain values


class Saving:
    """Whether a state is due after a step.

    `training.save` is kept to the step. Where it is unset, a state is due every tenth of the training and after ten
    minutes at the latest; but not before 50 times as long has been trained as the last save took, so that saving takes
    no more than 2 % of the time however cheap steps are.

    clock: seconds, from anywhere.
    """

    def __init__(
        self,
        training: Training,
        steps_per_epoch: int,
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        every: Duration = training.save or _TENTH
        self.every = every.steps(steps_per_epoch, total)
        self.exact = training.save is not None
        self._clock = clock
        self._step = 0
        self._at = clock()
        self._took = 0.0

    def begin(self, step: int) -> None:
        """Training begins, or goes on, after this many steps."""
        self._step, self._at = step, self._clock()

    def is_due(self, step: int) -> bool:
        """Whether the state after this many steps is to be saved."""
        if self.exact:
            return step % self.every == 0
        trained = self._clock() - self._at
        return trained * SHARE >= self._took and (step - self._step >= self.every or trained >= LONGEST)

    def made(self, step: int, seconds: float) -> None:
        """A state was saved, which took so long."""
        self._took = seconds
        self.begin(step)
