"""A look that leaves no mark."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Whatever happens inside leaves no mark: gradients, buffers and random state are put back."""
    leaves = [parameter for parameter in network.parameters() if parameter.is_leaf]  # not those that stand in for one
    gradients = [(parameter, parameter.grad) for parameter in leaves]
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
            for buffer, before in buffers:
                # `data`: autograd is not told, or a backward pass still to come would refuse the buffers as modified.
                buffer.data.copy_(before)
