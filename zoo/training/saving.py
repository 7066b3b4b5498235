"""The state of a training: when it is saved, and whether another training can resume from it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from zoo.errors import TrainingError
from zoo.recipe.fields import Duration, Length
from zoo.recipe.recipe import Training

SHARE = 0.02  # of the time, that saving may take
LONGEST = 600.0  # seconds of training that may be lost
_TENTH = Length(10, "%")

State = dict[str, Any]  # all that a training needs to resume, as tensors and plain values


class Saver(Protocol):
    """Keeps the state that a training can resume from."""

    def save(self, state: State) -> None:
        """Called when a state is due, and before a training is left for a signal."""
        ...


class Saving:
    """The schedule of saved states.

    `training.save` is kept to the step. Where it is unset, a state is due every tenth of the training and after ten
    minutes at the latest; but not before 50 times as long has been trained as the last save took, so that saving takes
    no more than 2 % of the time however cheap steps are.

    clock: seconds, from anywhere.
    """

    def __init__(
        self, training: Training, steps_per_epoch: int, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        every: Duration = training.save or _TENTH
        self.every = every.steps(steps_per_epoch, total)
        self.exact = training.save is not None
        self._clock = clock
        self._step = 0
        self._at = clock()
        self._took = 0.0

    def begin(self, step: int) -> None:
        """Note that training begins, or is resumed, after this many steps."""
        self._step, self._at = step, self._clock()

    def is_due(self, step: int) -> bool:
        """Return True if the state after this many steps is to be saved."""
        if self.exact:
            return step % self.every == 0
        trained = self._clock() - self._at
        return trained * SHARE >= self._took and (step - self._step >= self.every or trained >= LONGEST)

    def made(self, step: int, seconds: float) -> None:
        """Note that a state was saved, which took so long."""
        self._took = seconds
        self.begin(step)


@contextmanager
def fitting_state() -> Iterator[None]:
    """Turn whatever a strange state raises in the `with`, but a lack of memory, into a TrainingError."""
    try:
        yield
    except (torch.OutOfMemoryError, TrainingError):
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"resume — the saved state does not fit this training: {reason} — expected the state that this run saved "
            "— train without --resume"
        ) from error


def check_resumable(state: State, processes: int, material: Mapping[str, str]) -> None:
    """Raise TrainingError for a state of a team of another size, or of other data; `material`: digests by name."""
    if len(state["random"]) != processes:
        raise TrainingError(
            f"resume — the state was saved by a team of {len(state['random'])}, and {processes} train now — "
            "expected as many processes as before — the same torchrun --nproc_per_node, or train without --resume"
        )
    for what, digest in material.items():
        if state["material"][what] != digest:
            raise TrainingError(
                f"resume — the {what} has changed since the state was saved — expected the one that the run began "
                "with, as other nodes would be trained on and tested — train without --resume"
            )
