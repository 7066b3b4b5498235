"""The block of G²: each channel of each node has its own, learned speed (Rusch et al., ICLR 2023)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.block import activated, apply_norms
from zoo.layers.conv import convolve


class GatedBlock(nn.Module):
    """Gradient gating X' = (1−τ) X + τ σ(conv(X)) (Rusch et al., ICLR 2023), elementwise.

    τ_i = tanh(mean_j |y_i − y_j|^p) over the in-neighbours j ≠ i, with y = σ(gate_conv(X)): where the neighbourhood
    is smooth already, the node stays as it is. Without gate_conv, y = σ(conv(X)).

    Feature norms act between conv and σ. Weight normalisers leave gate_conv alone: tanh bounds the gate.
    """

    same_in_training = True
    per_node = False  # a node's gate is made of its neighbours' convolutions

    def __init__(
        self,
        conv: nn.Module,
        *,
        gate_conv: nn.Module | None = None,
        p: float = 2.0,
        norms: Sequence[nn.Module] = (),
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.gate_conv = gate_conv
        self.p = p
        self.norms = nn.ModuleList(norms)
        self.activation = activation

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """Return X', [nodes, width] as x is; first is not used. Raises: BuildError on a sampled block."""
        if graph.sources != graph.nodes:
            raise BuildError(
                f"g2 — a sampled block of {graph.sources} sources and {graph.nodes} nodes lacks what the gates of its "
                "sources are made of — expected a whole graph — sampler: cluster or shadow"
            )
        update = activated(self.activation, apply_norms(self.norms, graph, convolve(self.conv, graph, x), x))
        gated = update if self.gate_conv is None else activated(self.activation, convolve(self.gate_conv, graph, x))
        tau = torch.tanh(mean_difference(graph, gated, self.p))
        return (1 - tau) * x + tau * update


def mean_difference(graph: Graph, x: Tensor, p: float) -> Tensor:
    """Return the mean over the in-neighbours j ≠ i of |x_i − x_j|^p, elementwise; 0 where there are none.

    x and the result are [nodes, width], the result in float32 at least; p ≥ 1. p = 2 is computed by two sums over
    neighbours and keeps nothing of the edges; any other p keeps [edges, width] for the backward pass.
    """
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    count = graph.neighbours.clamp(min=1).to(x.dtype)[:, None]
    if p != 2:
        return graph.edge_sum(graph.edge_add(x, -x).abs().pow(p)) / count
    # Σ_j (x_i − x_j)² = d_i x_i² − 2 x_i Σ_j x_j + Σ_j x_j². A common shift changes no difference, but without it
    # large, nearly equal features would cancel; the little that rounding may leave below 0 is cut off.
    x = x - x.detach().mean(dim=0)
    degree = graph.structure.incoming.lengths.to(x.dtype)[:, None]
    neighbours, squares = graph.propagate(torch.stack([x, x.square()], dim=1), "sum").unbind(dim=1)
    return (degree * x.square() - 2 * x * neighbours + squares).clamp(min=0) / count
