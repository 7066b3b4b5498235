"""The bound that weight normalisers hold the blocks to."""

import torch
from torch import Tensor, nn

from zoo.probes.base import NetworkProbe


class NormalizerBound(NetworkProbe):
    """The bound c of each block's weight normaliser, as `c: adaptive` moves it; the mean over a block's matrices.

    Nothing where no normaliser has a bound. Name: `weights.c`.
    """

    def measure(self, network: nn.Module) -> dict[str, Tensor]:
        """The bounds, [blocks]."""
        bounds = network.bounds() if hasattr(network, "bounds") else []
        if not bounds or not all(bounds):
            return {}
        if all(len(block) == 1 for block in bounds):
            return {"weights.c": torch.stack([block[0].detach().reshape(()) for block in bounds])}
        return {"weights.c": torch.stack([torch.stack([c.reshape(()) for c in block]).mean() for block in bounds])}
