"""The best validation so far."""

import copy
import math

import torch
from torch import Tensor, nn

from zoo.system.private import foreach_copy_
from zoo.tasks.base import Task
from zoo.training.saving import State


class Best:
    """The best validation so far, and the weights that gave it: None before the first."""

    _KEPT = ("step", "val", "weights")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.step = 0
        self.val = math.nan
        self.weights: dict[str, Tensor] | None = None

    def is_beaten_by(self, val: float) -> bool:
        """Whether a validation is better; one that is not a number never is."""
        return not math.isnan(val) and (self.weights is None or self.task.better(val, self.val))

    @torch.no_grad()
    def take(self, network: nn.Module, step: int, val: float) -> None:
        """Let this be the best. The weights are copied over those of the last time: new memory costs ten times that."""
        self.step, self.val = step, val
        state = network.state_dict()
        if self.weights is None or not _fit(self.weights, state):
            self.weights = copy.deepcopy(state)
        else:
            foreach_copy_(list(self.weights.values()), list(state.values()))

    def restore(self, network: nn.Module) -> bool:
        """Put the best weights back, and return whether there are any."""
        if self.weights is not None:
            network.load_state_dict(self.weights)
        return self.weights is not None

    def state_dict(self) -> State:
        """What `load_state_dict` takes; the weights are those held, not a copy."""
        return {name: getattr(self, name) for name in self._KEPT}

    def load_state_dict(self, state: State) -> None:
        """Stand where `state` was taken; it is copied."""
        for name in self._KEPT:
            setattr(self, name, copy.deepcopy(state[name]))


def _fit(weights: dict[str, Tensor], state: dict[str, Tensor]) -> bool:
    """Whether a state can be written over the weights: tensors of the same names, shapes, types and devices."""
    return weights.keys() == state.keys() and all(
        isinstance(tensor, Tensor)
        and tensor.shape == weights[name].shape
        and tensor.dtype == weights[name].dtype
        and tensor.device == weights[name].device
        for name, tensor in state.items()
    )
