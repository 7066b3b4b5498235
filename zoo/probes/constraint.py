"""The bound that weight normalisers hold the blocks to."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from zoo.layers.network import Network
from zoo.probes.base import NetworkProbe


class NormalizerBound(NetworkProbe):
    """The bound c of each block's weight normaliser, as `c: adaptive` moves it; the mean over a block's matrices.

    Nothing where no normaliser has a bound, NaN at blocks that have none. Name: `weights.c`.
    """

    def measure(self, network: nn.Module) -> dict[str, Tensor]:
        """The bounds, [blocks]."""
        if not isinstance(network, Network) or not (bounds := network.bounds()):
            return {}
        return {"weights.c": block_means(bounds, len(network.blocks))}


def block_means(bounds: Sequence[tuple[list[int], Tensor]], blocks: int) -> Tensor:
    """The mean c of each block's matrices, [blocks], in float64; from what `Network.bounds` gives."""
    place = _index(tuple(block for places, _ in bounds for block in places), bounds[0][1].device)
    c = torch.cat([c.detach().flatten(1)[:, 0].double() for _, c in bounds])
    total, count = torch.zeros(2, blocks, dtype=torch.float64, device=c.device)
    return total.index_add_(0, place, c) / count.index_add_(0, place, torch.ones_like(c))


@lru_cache(maxsize=16)
def _index(places: tuple[int, ...], device: torch.device) -> Tensor:
    """The places on the device; kept, as a host that brings numbers to a GPU waits for it."""
    return torch.tensor(places, device=device)
