"""The one number of a gradient profile: how fast it grows or shrinks from block to block."""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo.graph_like import SubspaceName
from zoo.probes.base import ProfileProbe


class ExpansionRate(ProfileProbe):
    """Slope of log μ(G_l) per block towards the input, by least squares over the blocks.

    Above 0 the gradient expands on its way back, e^rate times a block; below 0 it smooths out or vanishes. Blocks whose
    μ is 0 or not finite are left out; NaN where fewer than two remain.

    subspace: which μ(G) of `similarity`; it has to be measured, too. Name: `expansion_rate.<subspace>`.
    """

    def __init__(self, *, subspace: SubspaceName = "plain") -> None:
        self.subspace: SubspaceName = subspace

    def measure(self, measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The slope, a scalar."""
        mu = measured.get(f"gradients.mu.{self.subspace}")
        return {} if mu is None else {f"expansion_rate.{self.subspace}": slope(mu)}


def slope(mu: Tensor) -> Tensor:
    """−d log μ_l/dl by least squares over the positive, finite entries of mu [blocks]; computed on its device."""
    used = (mu > 0) & torch.isfinite(mu)
    weight = used.double()
    level = torch.where(used, mu, torch.ones_like(mu)).double().log()
    place = torch.arange(len(mu), dtype=torch.float64, device=mu.device)
    count = weight.sum()
    place = (place - (weight * place).sum() / count) * weight
    return -(place * level).sum() / place.square().sum()
