"""The convolution of GCNII: initial residual and identity mapping (Chen et al., ICML 2020)."""

import math

import torch
from torch import Tensor, nn

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph


class GCNIIConv(nn.Module):
    """Z ((1−β)I + β W) with Z = (1−α) Â X + α X_0 (Chen et al., ICML 2020, eq. 5, without its activation).

    β = log(θ/l + 1) for block l, counted from 1: the deeper a block, the nearer its matrix is to the identity.
    `variant` is GCNII* of the same paper, with a matrix of its own for X_0:
    (1−α) Â X ((1−β)I + β W) + α X_0 ((1−β)I + β W_0).

    The matrices are [width, width], drawn from ±1/√width uniformly as in the authors' code; there is no bias.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, block: int, *, alpha: float, theta: float, variant: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = math.log(theta / block + 1)
        self.weight = _uniform(width)
        self.initial_weight = _uniform(width) if variant else None

    @property
    def propagation(self) -> Norm:
        """By 1/√(d_i d_j)."""
        return "both"

    def forward(self, graph: Graph, x: Tensor, first: Tensor) -> Tensor:
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        spread = graph.propagate(x)
        first = graph.at_destinations(first).to(spread.dtype)
        if self.initial_weight is None:
            return self._near_identity(torch.lerp(spread, first, self.alpha), self.weight)
        own = self._near_identity((1 - self.alpha) * spread, self.weight)
        return own + self._near_identity(self.alpha * first, self.initial_weight)

    def extra_repr(self) -> str:
        """Return the numbers, for `print`."""
        return f"{self.weight.shape[0]}, alpha={self.alpha:g}, beta={self.beta:.4g}"

    def _near_identity(self, x: Tensor, weight: Tensor) -> Tensor:
        return torch.addmm(x, x, weight, beta=1 - self.beta, alpha=self.beta)


def _uniform(width: int) -> nn.Parameter:
    bound = 1 / math.sqrt(width)
    return nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))
