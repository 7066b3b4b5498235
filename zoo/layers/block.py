"""A block of a network: a convolution and what stands around it."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.engine.lowering import lowered
from zoo.graphs.graph import Graph
from zoo.layers.activation import activated
from zoo.layers.conv import convolve
from zoo.layers.dropout import Dropout
from zoo.layers.feature_norms import apply_norms
from zoo.layers.residual import Residual

NormPosition = Literal["pre", "inner", "post"]


class Block(nn.Module):
    """dropout → [norm: pre] → conv → [norm: inner] → activation → residual → [norm: post].

    A norm whose class says `reads_input` gets the block's input besides, with a row for each row that it acts on. The
    block's output is the representation X_l, which probes read by a forward hook.

    Where the convolution is a `FusedConv`, the activation ReLU, leaky ReLU or none, the residual a `LinearSkip`, and no
    norm stands in between, all from the convolution on is one operator, see `zoo.engine.lowering`: it keeps the block's
    input and a mask for the backward pass, and little else.
    """

    same_in_training = True

    def __init__(
        self,
        conv: nn.Module,
        *,
        residual: Residual,
        norms: Sequence[nn.Module] = (),
        norm_position: NormPosition = "inner",
        activation: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.norm_position: NormPosition = norm_position
        self.activation = nn.Identity() if activation is None else activation
        self.residual = residual

    @lowered
    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [sources, in]; first: X_0, for initial residuals; the result is [nodes, out]."""
        here = graph.at_destinations(x)
        first = None if first is None else graph.at_destinations(first)
        z = self.norm("pre", graph, self.dropout(x), x)
        z = self.norm("inner", graph, convolve(self.conv, graph, z), here)
        y = as_input("residual", self.residual, self.residual(here, activated(self.activation, z), first), z)
        return self.norm("post", graph, y, here)

    fusable_forward = forward

    def norm(self, position: NormPosition, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
        """Apply the norms if this is their position; before: the block's input at the same nodes."""
        if position == self.norm_position:
            return apply_norms(self.norms, graph, x, before)
        return x
