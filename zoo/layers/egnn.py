"""The convolution and the activation of EGNN: Dirichlet energy held between two bounds (Zhou et al., NeurIPS 2021)."""

import math

import torch
from torch import Tensor, nn

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph


class EGNNConv(nn.Module):
    """((1−c_min) Â X + (c_min−β) X + β X_0) W (Zhou et al., NeurIPS 2021: lower-bounded residual connection).

    W [width, width] starts at √c_max·I and is held near it by the penalty penalty_weight·‖W − √c_max·I‖_F, the norm not
    squared, as in the authors' code; there is no bias.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, *, c_min: float, c_max: float, beta: float, penalty_weight: float) -> None:
        super().__init__()
        self.c_min = c_min
        self.c_max = c_max
        self.beta = beta
        self.penalty_weight = penalty_weight
        self.weight = nn.Parameter(math.sqrt(c_max) * torch.eye(width))

    @property
    def propagation(self) -> Norm:
        """By 1/√(d_i d_j)."""
        return "both"

    def forward(self, graph: Graph, x: Tensor, first: Tensor) -> Tensor:
        """x, first: [nodes, width], the block's input and X_0; the result is [nodes, width]."""
        here, first = graph.at_destinations(x), graph.at_destinations(first)
        mixed = (1 - self.c_min) * graph.propagate(x) + (self.c_min - self.beta) * here + self.beta * first
        return mixed @ self.weight

    def penalty(self) -> Tensor:
        """The orthogonality penalty, a scalar, of the stored matrix."""
        width = self.weight.shape[0]
        identity = torch.eye(width, dtype=self.weight.dtype, device=self.weight.device)
        # At the start W is there already, where the norm has no gradient; PyTorch's is 0.
        return self.penalty_weight * torch.linalg.matrix_norm(self.weight - math.sqrt(self.c_max) * identity)

    def extra_repr(self) -> str:
        """Return the numbers, for `print`."""
        return f"{self.weight.shape[0]}, c_min={self.c_min:g}, c_max={self.c_max:g}, beta={self.beta:g}"


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
