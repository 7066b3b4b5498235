"""Validation without a forward pass of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from zoo.tasks.base import Task
from zoo.training.declared import one_pass, undeclared


class ReusedForward:
    """Whether a network, as it stands after a step, can be scored by what the next step's forward pass returns.

    That pass is made with just these weights. Where every step's batch is all that scores are made of (`Task.whole`)
    and all modules declare that they compute in training what they do in evaluation, the two passes are one.

    alone: whether this process makes the whole pass, in the precision of scores. outputs: what the network returned in
    the last training pass, without gradient; None where nobody can ask for it.
    """

    def __init__(self, network: nn.Module, task: Task, *, alone: bool) -> None:
        self.network = network
        self.asked = alone and one_pass(task) is None
        self.outputs: Tensor | None = None

    @property
    def possible(self) -> bool:
        """Whether the next training pass will tell; options and hooks may have changed since the last one."""
        return self.asked and undeclared(self.network, "same_in_training") is None

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around the forward pass of a step."""
        self.outputs = None
        if not self.asked:
            yield
            return

        def hear(network: Any, inputs: Any, outputs: Any) -> None:
            self.outputs = outputs.detach()

        handle = self.network.register_forward_hook(hear)
        try:
            yield
        finally:
            handle.remove()
