"""Validation: when it is made, and from which outputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from zoo.recipe.recipe import Training
from zoo.tasks.base import Task
from zoo.training.declared import one_pass, undeclared


class ReusedForward:
    """Outputs of a training pass, taken for those of an evaluation where the two passes are one.

    The pass of a step is made with the weights that the step before it left. Where every step's batch is all that
    scores are made of (`Task.whole`) and all modules declare that they compute in training what they do in evaluation,
    its outputs tell the validation of that step.

    alone: whether this process makes the whole pass, in the precision of scores. outputs: what the network returned in
    the last training pass, without gradient; None where nobody can ask for it.
    """

    def __init__(self, network: nn.Module, task: Task, *, alone: bool) -> None:
        self.network = network
        self.asked = alone and one_pass(task) is None
        self.outputs: Tensor | None = None

    @property
    def possible(self) -> bool:
        """True if the next training pass will tell; options and hooks may have changed since the last one."""
        return self.asked and undeclared(self.network, "same_in_training") is None

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Keep in `outputs` what the network returns in the `with`."""
        self.outputs = None
        if not self.asked:
            yield
            return

        def capture(network: Any, inputs: Any, outputs: Any) -> None:
            self.outputs = outputs.detach()

        handle = self.network.register_forward_hook(capture)
        try:
            yield
        finally:
            handle.remove()


class Validation:
    """The schedule of validations: every `training.evaluate`, and after the last step.

    Where the next step's training pass returns what an evaluation would, the validation waits for that pass: `pending`
    is set, and whoever makes the pass validates with its outputs before the weights move. Else it is made at once.
    """

    def __init__(self, training: Training, steps_per_epoch: int, total: int, reused: ReusedForward) -> None:
        self.total = total
        self.every = training.evaluate.steps(steps_per_epoch, total)
        self.patience = training.patience.steps(steps_per_epoch, total) if training.patience else total
        self.reused = reused
        self.pending = False

    def is_due(self, step: int) -> bool:
        """Return True to evaluate now, after this step; set `pending` if the next pass will tell."""
        due = step % self.every == 0 or step == self.total
        self.pending = due and step < self.total and self.reused.possible
        return due and not self.pending

    def is_overdue(self) -> bool:
        """Return True if a validation waits, as when its training was saved, for a pass that will not tell it."""
        return self.pending and not self.reused.possible

    def is_spent(self, step: int, best: int) -> bool:
        """Return True if the best validation, after step `best`, is older than the patience, as far as is known.

        A patience shorter than the time between validations lasts until the next one, which could have been better.
        """
        validated = step - step % self.every
        return not self.pending and validated > best and step - best >= self.patience


class ConstantOutput(nn.Module):
    """Stand-in for a network whose output is known: a task asks it for its loss or its scores."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, *inputs: Any) -> Tensor:
        """Return the output."""
        return self.output
