"""Probes of a network as it stands: one forward and one backward pass, nothing changed by it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from zoo.probes.base import Probe, UpdateProbe
from zoo.probes.reading import Reading
from zoo.probes.tap import Tap
from zoo.probes.untouched import untouched


def snapshot(
    network: nn.Module, probes: Sequence[Probe], loss: Callable[[], Tensor], *, precision: torch.dtype = torch.float64
) -> Reading:
    """Run `loss()` and its backward pass once, and read the probes; those of updates have nothing to see.

    Besides what they measure the reading has `loss`.
    Parameters, their gradients, buffers and the random state are left as they were found. Reduced in float64 unless
    asked otherwise: squares of a gradient below 1e-23 are 0 in float32.
    """
    lasting = [probe for probe in probes if not isinstance(probe, UpdateProbe)]
    with untouched(network), Tap(network, lasting, precision=precision) as tap:
        value = loss()
        value.backward()
        reading = tap.read()
    return Reading({**reading, "loss": value.detach().double().cpu().numpy()})
