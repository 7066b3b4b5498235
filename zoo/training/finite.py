"""Whether a step is taken: never on a loss or a gradient that is not finite."""

from typing import Any

import torch
from torch import Tensor

from zoo.system.private import skips_nonfinite_steps


class FiniteSteps:
    """The steps of an optimiser, left out where a number is not finite.

    On a CPU to look at a number is free, and the step waits for the look. A GPU is told what to do long before it does
    it, and a look makes the host wait until all of it is done. There the optimiser's own kernels leave parameters and
    moments alone if the number is not finite, and the host looks once they are queued. Optimisers that have no such
    kernels (they are not fused) wait for the look everywhere.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self.optimizer: Any = optimizer
        self.looks_after = device.type != "cpu" and skips_nonfinite_steps(optimizer)

    def take(self, number: Tensor) -> Tensor:
        """Take a step if the number, a scalar on the device, is finite, and return whether it is, there."""
        finite = torch.isfinite(number)
        if not self.looks_after:
            if finite:
                self.optimizer.step()
            return finite
        self.optimizer.grad_scale, self.optimizer.found_inf = None, finite.logical_not().float()
        self.optimizer.step()
        del self.optimizer.grad_scale, self.optimizer.found_inf
        return finite
