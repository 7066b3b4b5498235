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
        """The factor at a step, counted from 0."""


class FactorLR(torch.optim.lr_scheduler.LambdaLR):
    """Every group's own rate times the schedule's factor. Raises: ComponentError for no number, or one below 0."""

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the step."""
        rates = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [rate * _factor(schedule, self.last_epoch) for rate, schedule in rates]


def _factor(schedule: Callable[[int], float], step: int) -> float:
    factor = finite("schedule", schedule, schedule(step), f"its factor at step {step}")
    if factor < 0:
        broken("schedule", schedule, f"its factor at step {step} is {factor:g}", "0 or more")
    return factor


class Constant(Schedule):
    """The same rate all along."""

    def __call__(self, step: int) -> float:
        """1, always."""
        return 1.0


class Linear(Schedule):
    """Up over the warm-up, then down a straight line to `final` times the rate."""

    def __init__(self, total: int, steps_per_epoch: int, *, warmup: Duration | None = None, final: Share = 0.0) -> None:
        super().__init__(total, steps_per_epoch)
        self.warmup = _warmup(warmup, self)
        self.final = final

    def __call__(self, step: int) -> float:
        """Warm-up, then a straight line."""
        return _warmed(
            step, self.warmup, self.final + (1 - self.final) * (1 - _progress(step, self.warmup, self.total))
        )


class Cosine(Schedule):
    """Up over the warm-up, then down half a cosine to `final` times the rate (Loshchilov & Hutter 2017)."""

    def __init__(self, total: int, steps_per_epoch: int, *, warmup: Duration | None = None, final: Share = 0.0) -> None:
        super().__init__(total, steps_per_epoch)
        self.warmup = _warmup(warmup, self)
        self.final = final

    def __call__(self, step: int) -> float:
        """Warm-up, then half a cosine."""
        half = 0.5 * (1 + math.cos(math.pi * _progress(step, self.warmup, self.total)))
        return _warmed(step, self.warmup, self.final + (1 - self.final) * half)


class Step(Schedule):
    """Times `factor` after every `every`."""

    def __init__(self, total: int, steps_per_epoch: int, *, every: Duration, factor: Fraction = 0.1) -> None:
        super().__init__(total, steps_per_epoch)
        self.every = _steps(every, self)
        self.factor = factor

    def __call__(self, step: int) -> float:
        """Factor to the power of the intervals gone by."""
        return self.factor ** (step // self.every)


def _steps(duration: Duration | None, schedule: Schedule) -> int:
    return 0 if duration is None else duration.steps(schedule.steps_per_epoch, schedule.total)


def _warmup(duration: Duration | None, schedule: Schedule) -> int:
    """Raises: BuildError where the rate would never be what the recipe says."""
    steps = _steps(duration, schedule)
    if steps >= schedule.total:
        said = f"{duration} are all of the training of {schedule.total} steps, which never has the optimizer's rate"
        raise BuildError(f"schedule.warmup — {said} — expected a shorter warm-up, such as 5%, or a longer training")
    return steps


def _progress(step: int, warmup: int, total: int) -> float:
    return min(1.0, max(0, step - warmup) / max(1, total - warmup))


def _warmed(step: int, warmup: int, factor: float) -> float:
    return (step + 1) / warmup if step < warmup else factor
