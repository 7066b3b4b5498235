"""Blocks and convolutions that read X_0 besides their input: GCNII and EGNN."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.block import activated, apply_norms
from zoo.layers.conv import Conv


class InitialBlock(nn.Module):
    """dropout → conv, called as `conv(graph, x, first)` → norms → activation."""

    same_in_training = True

    def __init__(
        self, conv: nn.Module, *, norms: Sequence[nn.Module] = (), activation: nn.Module, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.activation = activation

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        assert first is not None, "the network's encoder gives X_0"
        update = self.conv(graph, self.dropout(x), first)
        return activated(self.activation, apply_norms(self.norms, graph, update, graph.at_destinations(x)))


class GCNIIConv(Conv):
    """Z ((1−β)I + β W) with Z = (1−α) Â X + α X_0 (Chen et al., ICML 2020, eq. 5, without its activation).

    β = log(θ/l + 1) for block l, counted from 1: the deeper a block, the nearer its matrix is to the identity.
    `variant` is GCNII* of the same paper, with a matrix of its own for X_0:
    (1−α) Â X ((1−β)I + β W) + α X_0 ((1−β)I + β W_0).

    The matrices are [width, width], drawn from ±1/√width uniformly as in the authors' code; there is no bias.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, block: int, *, alpha: float, theta: float, variant: bool = False) -> None:
        super().__init__(width, width)
        self.alpha = alpha
        self.beta = math.log(theta / block + 1)
        self.weight = _uniform(width)
        self.initial_weight = _uniform(width) if variant else None

    def forward(self, graph: Graph, x: Tensor, first: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        spread = graph.propagate(x)
        first = graph.at_destinations(first).to(spread.dtype)
        if self.initial_weight is None:
            return self._near_identity(torch.lerp(spread, first, self.alpha), self.weight)
        own = self._near_identity((1 - self.alpha) * spread, self.weight)
        return own + self._near_identity(self.alpha * first, self.initial_weight)

    def extra_repr(self) -> str:
        """Return the numbers, for `print`."""
        return f"{self.in_width}, alpha={self.alpha:g}, beta={self.beta:.4g}"

    def _near_identity(self, x: Tensor, weight: Tensor) -> Tensor:
        return torch.addmm(x, x, weight, beta=1 - self.beta, alpha=self.beta)


def _uniform(width: int) -> nn.Parameter:
    bound = 1 / math.sqrt(width)
    return nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))


class EGNNConv(Conv):
    """((1−c_min) Â X + (c_min−β) X + β X_0) W (Zhou et al., NeurIPS 2021: lower-bounded residual connection).

    W [width, width] starts at √c_max·I and is held near it by the penalty penalty_weight·‖W − √c_max·I‖_F, the norm not
    squared, as in the authors' code; there is no bias. Dirichlet energy is so held between two bounds.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, *, c_min: float, c_max: float, beta: float, penalty_weight: float) -> None:
        super().__init__(width, width)
        self.c_min = c_min
        self.c_max = c_max
        self.beta = beta
        self.penalty_weight = penalty_weight
        self.weight = nn.Parameter(math.sqrt(c_max) * torch.eye(width))

    def forward(self, graph: Graph, x: Tensor, first: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        here, first = graph.at_destinations(x), graph.at_destinations(first)
        mixed = (1 - self.c_min) * graph.propagate(x) + (self.c_min - self.beta) * here + self.beta * first
        return mixed @ self.weight

    def penalty(self) -> Tensor:
        """Return the orthogonality penalty, a scalar, of the stored matrix."""
        identity = torch.eye(self.in_width, dtype=self.weight.dtype, device=self.weight.device)
        # At the start W is there already, where the norm has no gradient; PyTorch's is 0.
        return self.penalty_weight * torch.linalg.matrix_norm(self.weight - math.sqrt(self.c_max) * identity)

    def extra_repr(self) -> str:
        """Return the numbers, for `print`."""
        return f"{self.in_width}, c_min={self.c_min:g}, c_max={self.c_max:g}, beta={self.beta:g}"


class SReLU(nn.Module):
    """max(x, b) with a trainable b for each channel: linear above it (Zhou et al., NeurIPS 2021: shifted ReLU).

    shift: where every b starts. The further below 0, the longer the activation is the identity.
    """

    same_in_training = True

    def __init__(self, width: int, *, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((width,), float(shift)))

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, b); x and the result are [nodes, width]."""
        return torch.relu(x - self.shift) + self.shift
