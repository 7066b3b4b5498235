"""Probes of a network as it stands: one forward and one backward pass, nothing changed by it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zoo.probes.base import Probe
from zoo.probes.reading import Reading
from zoo.probes.tap import Tap


def snapshot(
    network: nn.Module, probes: Sequence[Probe], loss: Callable[[], Tensor], *, precision: torch.dtype = torch.float64
) -> Reading:
    """Run `loss()` and its backward pass once, and read the probes; those of updates have nothing to see.

    Besides what they measure the reading has `loss`.
    Parameters, their gradients, buffers and the random state are left as they were found. Reduced in float64 unless
    asked otherwise: squares of a gradient below 1e-23 are 0 in float32.
    """
    lasting = [probe for probe in probes if probe.reads != "updates"]
    with preserving_state(network), Tap(network, lasting, precision=precision) as tap:
        value = loss()
        value.backward()
        reading = tap.read()
    return Reading({**reading, "loss": value.detach().double().cpu().numpy()})


@contextmanager
def preserving_state(network: nn.Module) -> Iterator[None]:
    """Restore gradients, buffers and the random state at the end of the `with`."""
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
