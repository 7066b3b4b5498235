"""The gradient profile of a network as it stands: one backward pass, nothing changed by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.probes.similarity import norm, similarity
from zoo.probes.tap import Tap


@dataclass(frozen=True)
class GradientProfile:
    """μ(G_l) and ‖G_l‖_F of the loss's gradient at every block, first block first; float tensors [blocks]."""

    similarity: Tensor
    norm: Tensor

    @property
    def first(self) -> float:
        """μ(G) at the first block."""
        return float(self.similarity[0])

    @property
    def last(self) -> float:
        """μ(G) at the last block."""
        return float(self.similarity[-1])

    @property
    def ratio(self) -> float:
        """μ(G_1)/μ(G_L): above 1 the gradient expands on its way back, below 1 it smooths out or vanishes."""
        return self.first / self.last if self.last else float("nan")


def gradient_profile(network: nn.Module, blocks: nn.ModuleList, loss: Callable[[], Tensor]) -> GradientProfile:
    """Run `loss()` and its backward pass once, and read the profile.

    Parameters, their gradients, buffers and the random state are left as they were found.
    """
    with untouched(network), Tap(blocks, {"similarity": similarity, "norm": norm}) as tap:
        loss().backward()
        return GradientProfile(**tap.gradients())


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Whatever happens inside leaves no mark: gradients, buffers and random state are put back."""
    gradients = [(parameter, parameter.grad) for parameter in network.parameters()]
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    devices = sorted({parameter.device.index or 0 for parameter, _ in gradients if parameter.is_cuda})
    with torch.random.fork_rng(devices=devices):
        for parameter, _ in gradients:
            parameter.grad = None
        try:
            yield
        finally:
            for parameter, gradient in gradients:
                parameter.grad = gradient
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
