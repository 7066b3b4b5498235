"""Learning rates over time: each schedule maps a step to a factor on every group's own rate."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from zoo.contracts import broken, finite
from zoo.errors import BuildError
from zoo.recipe.fields import Duration, Fraction, Share


class Schedule(ABC):
    """total: steps of the whole training; steps_per_epoch: to read durations in epochs."""

    def __init__(self, total: int, steps_per_epoch: int) -> None:
        self.total = total
        self.steps_per_epoch = steps_per_epoch

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the factor at a step, counted from 0."""


class FactorLR(torch.optim.lr_scheduler.LambdaLR):
    """Every group's own rate times the schedule's factor. Raises: ComponentError for no number, or one below 0."""

    def get_lr(self) -> list[float | Tensor]:
        """Return the rates of the step."""
        rates = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [rate * _factor(schedule, self.last_epoch) for rate, schedule in rates]


def _factor(schedule: Callable[[int], float], step: int) -> float:
    factor = finite("schedule", schedule, schedule(step), f"its factor at step {step}")
    if factor < 0:
        broken("schedule", schedule, f"its factor at step {step} is {factor:g}", "0 or more")
    return factor


class Constant(Schedule):
    """The same rate throughout."""

    def __call__(self, step: int) -> float:
        """Return 1."""
        return 1.0


class _WarmedUp(Schedule):
    """Up over the warm-up in a straight line, then down to `final` times the rate.

    Raises: BuildError where the rate would never be what the recipe says.
    """

    def __init__(self, total: int, steps_per_epoch: int, *, warmup: Duration | None = None, final: Share = 0.0) -> None:
        super().__init__(total, steps_per_epoch)
        self.warmup = 0 if warmup is None else warmup.steps(steps_per_epoch, total)
        self.final = final
        if self.warmup >= total:
            raise BuildError(
                f"schedule.warmup — {warmup} are all of the training of {total} steps, which never has the optimizer's "
                "rate — expected a shorter warm-up, such as 5%, or a longer training"
            )

    def __call__(self, step: int) -> float:
        """Return the factor: within [0, 1]."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        left = self.left(min(1.0, max(0, step - self.warmup) / max(1, self.total - self.warmup)))
        return self.final + (1 - self.final) * left

    @abstractmethod
    def left(self, progress: float) -> float:
        """Return what is left of the way down, from 1 to 0, as progress after the warm-up goes from 0 to 1."""


class Linear(_WarmedUp):
    """A warm-up, then a straight line down to `final` times the rate."""

    def left(self, progress: float) -> float:
        """Return a straight line."""
        return 1 - progress


class Cosine(_WarmedUp):
    """A warm-up, then half a cosine down to `final` times the rate (Loshchilov & Hutter 2017)."""

    def left(self, progress: float) -> float:
        """Return half a cosine."""
        return 0.5 * (1 + math.cos(math.pi * progress))


class Step(Schedule):
    """The rate times `factor` after every `every`."""

    def __init__(self, total: int, steps_per_epoch: int, *, every: Duration, factor: Fraction = 0.1) -> None:
        super().__init__(total, steps_per_epoch)
        self.every = every.steps(steps_per_epoch, total)
        self.factor = factor

    def __call__(self, step: int) -> float:
        """Return the factor to the power of the intervals that have passed."""
        return self.factor ** (step // self.every)
