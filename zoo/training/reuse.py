"""Validation without a forward pass of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.base import Task
from zoo.training.state import State, random_state


class ReusedForward:
    """Whether a network, as it stands after a step, can be scored by what the next step's forward pass returns.

    That pass is made with just these weights. Where every step's batch is all that scores are made of (`Task.whole`)
    and the network computes in training what it does in evaluation, the two passes are one. Whether it does is not
    looked up but tried, once: an evaluation and the training pass after it have to agree to the bit, and the latter
    must draw no random numbers and leave the buffers as they are. So dropout, batch statistics, thinned graphs and the
    like are found out in modules of any kind.

    agreed: None until it was tried. outputs: what the network returned in the last training pass, without gradient.
    """

    def __init__(self, network: nn.Module, task: Task, *, alone: bool) -> None:
        self.network = network
        self.agreed: bool | None = None if alone and task.whole is not None else False
        self.outputs: Tensor | None = None
        self._evaluated: Tensor | None = None

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Around an evaluation with the weights that the next training pass will have."""
        if self.agreed is not None:
            yield
            return
        with self._heard():
            yield
        self._evaluated = self.outputs

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around the forward pass of a step."""
        if self.agreed:
            with self._heard():
                yield
        elif self._evaluated is not None:
            before = self._surroundings()
            with self._heard():
                yield
            outputs, self.agreed = self.outputs, _same(before, self._surroundings())
            self.agreed = self.agreed and outputs is not None and torch.equal(outputs, self._evaluated)
            self._evaluated = None
        else:
            yield

    def state_dict(self) -> State:
        """What is known, and the evaluation that waits for the pass that is held against it."""
        return {"agreed": self.agreed, "evaluated": self._evaluated}

    def load_state_dict(self, state: State, device: torch.device) -> None:
        """Stand where `state` was taken."""
        evaluated = state["evaluated"]
        self.agreed, self._evaluated = state["agreed"], None if evaluated is None else evaluated.to(device)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        self.outputs = None

        def hear(network: Any, inputs: Any, outputs: Any) -> None:
            self.outputs = outputs.detach()

        handle = self.network.register_forward_hook(hear)
        try:
            yield
        finally:
            handle.remove()

    def _surroundings(self) -> list[Any]:
        """What a pass must leave alone: random states and buffers."""
        return [random_state(), [buffer.clone() for buffer in self.network.buffers()]]


def _same(one: Any, other: Any) -> bool:
    """Whether nested values are equal, tensors to the bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other
