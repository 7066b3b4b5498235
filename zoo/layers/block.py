"""A block of a network: a convolution and what stands around it."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from zoo.graphs.affine import affine_block
from zoo.graphs.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.layers.affine import AffineConv
from zoo.layers.feature_norms import apply_norms
from zoo.layers.residual import LinearSkip, Residual

NormPosition = Literal["pre", "inner", "post"]


class Block(nn.Module):
    """dropout → [norm: pre] → conv → [norm: inner] → activation → residual → [norm: post].

    A norm whose class says `reads_input` gets the block's input besides, with a row for each row that it acts on. The
    block's output is the representation X_l, which probes read by a forward hook.

    Where the convolution is an `AffineConv`, the activation ReLU, leaky ReLU or none, the residual a `LinearSkip`, and
    no norm stands in between, all from the convolution on is one operator, `zoo.graphs.affine.affine_block`: it keeps
    the block's input and a mask for the backward pass, and nothing else. Hooks on these parts bring the plain path
    back.
    """

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
        self.dropout = nn.Dropout(dropout)
        self.conv = conv
        self.norms = nn.ModuleList(norms)
        self.norm_position: NormPosition = norm_position
        self.activation = nn.Identity() if activation is None else activation
        self.residual = residual

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [sources, in]; first: X_0, for initial residuals; the result is [nodes, out]."""
        here = graph.at_destinations(x)
        first = None if first is None else graph.at_destinations(first)
        update = self._norm("pre", graph, self.dropout(x), x)
        output = self._as_one(graph, update, here, first)
        if output is None:
            update = self._norm("inner", graph, self.conv(graph, update), here)
            output = self.residual(here, self.activation(update), first)
        return self._norm("post", graph, output, here)

    def _as_one(self, graph: Graph, update: Tensor, here: Tensor, first: Tensor | None) -> Tensor | None:
        """Convolution, activation and residual as one operator, where they are of the kinds that can be; else None."""
        conv, residual, slope = self.conv, self.residual, _slope(self.activation)
        if (
            slope is None
            or not (isinstance(conv, AffineConv) and type(conv).forward is AffineConv.forward)
            or not (isinstance(residual, LinearSkip) and type(residual).forward is LinearSkip.forward)
            or (self.norm_position == "inner" and len(self.norms))
            or any(_is_heard(part) for part in (conv, self.activation, residual))
        ):
            return None
        share, skip_share, skip = residual.shares(here, first)
        return affine_block(graph, update, conv.affine(), skip, Epilogue(slope, share, skip_share))

    def _norm(self, position: NormPosition, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
        if position == self.norm_position:
            return apply_norms(self.norms, graph, x, before)
        return x


def _slope(activation: nn.Module) -> float | None:
    """The activation's slope below 0 where it is z above; None for others."""
    if type(activation) is nn.LeakyReLU:
        return activation.negative_slope
    return {nn.ReLU: 0.0, nn.Identity: 1.0}.get(type(activation))


def _is_heard(module: nn.Module) -> bool:
    """Whether somebody listens to this part of the block."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )
