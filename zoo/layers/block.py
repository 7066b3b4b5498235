"""A block of a network: a convolution and what stands around it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.engine.chain import Link
from zoo.engine.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.graphs.inverse import reversible_block
from zoo.layers.activation import activated
from zoo.layers.affine import AffineConv
from zoo.layers.conv import convolve
from zoo.layers.dropout import Dropout
from zoo.layers.feature_norms import apply_norms
from zoo.layers.fused import FusedConv
from zoo.layers.residual import AddSkip, LinearSkip, NoSkip, Residual

# By what an update may contract at most that is to be inverted by iteration.
_MOST = 0.9

NormPosition = Literal["pre", "inner", "post"]


class Block(nn.Module):
    """dropout → [norm: pre] → conv → [norm: inner] → activation → residual → [norm: post].

    A norm whose class says `reads_input` gets the block's input besides, with a row for each row that it acts on. The
    block's output is the representation X_l, which probes read by a forward hook.

    Where the convolution is a `FusedConv`, the activation ReLU, leaky ReLU or none, the residual a `LinearSkip`, and no
    norm stands in between, all from the convolution on is one operator, `FusedConv.fused`: it keeps the block's input
    and a mask for the backward pass, and little else. Hooks on these parts bring the plain path back.
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
        self.reversible = False

    def forward(self, graph: Graph, x: Tensor, first: Tensor | None = None) -> Tensor:
        """x: [sources, in]; first: X_0, for initial residuals; the result is [nodes, out]."""
        here = graph.at_destinations(x)
        first = None if first is None else graph.at_destinations(first)
        update = self._norm("pre", graph, self.dropout(x), x)
        output = self._as_one(graph, update, here, first)
        if output is None:
            update = self._norm("inner", graph, convolve(self.conv, graph, update), here)
            output = as_input(
                "residual", self.residual, self.residual(here, activated(self.activation, update), first), update
            )
        return self._norm("post", graph, output, here)

    def link(self) -> Link | None:
        """The block as a link of a chain that runs as one operator; None where it is more, or is listened to."""
        conv, residual = self.conv, self.residual
        kind = type(residual)
        if (
            not isinstance(conv, AffineConv)
            or kind not in (AddSkip, NoSkip)
            or self.reversible
            or len(self.norms)
            or (self.training and self.dropout.p)
            or type(conv).forward is not FusedConv.forward
            or type(conv).fused is not AffineConv.fused
            or (slope := _slope(self.activation)) is None
            or any(_has_hooks(part) for part in (self, conv, self.activation, residual, self.dropout))
        ):
            return None
        skips = kind is AddSkip
        return Link(conv.affine(), Epilogue(slope, 1.0, 1.0 if skips else 0.0), skips)

    def reverse(self, bounds: Mapping[Tensor, float] | None) -> str | None:
        """Go without the input from now on, or with bounds None keep it: return why that cannot be, None where it can.

        bounds: the norms that weight matrices are held to. The update has to contract: see `reversible_block`.
        """
        self.reversible = False
        if bounds is None:
            return None
        slope = _slope(self.activation)
        if slope is None or abs(slope) > 1:
            return f"its activation is {self.activation}"
        if not (isinstance(self.conv, AffineConv) and type(self.conv).forward is AffineConv.forward):
            return f"its convolution is a {type(self.conv).__name__}"
        if type(self.residual) is not AddSkip:
            return f"its residual is a {type(self.residual).__name__}"
        if self.dropout.p or len(self.norms):
            return "it has dropout" if self.dropout.p else "it has feature norms"
        if self._forward_hooks:
            return "a regulariser mixes its output with its input"
        weight, _, root_weight, _ = self.conv.affine()
        matrices = [matrix for matrix in (weight, root_weight) if matrix is not None]
        if weight.shape[0] != weight.shape[1] or not all(matrix in bounds for matrix in matrices):
            return "its weight matrices are held to no bound"
        if (together := sum(bounds[matrix] for matrix in matrices)) > _MOST:
            return f"its weight matrices are held to {together:.3g} together, more than {_MOST}"
        self.reversible = True
        return None

    def _as_one(self, graph: Graph, update: Tensor, here: Tensor, first: Tensor | None) -> Tensor | None:
        """Convolution, activation and residual as one operator, where they are of the kinds that can be; else None."""
        conv, residual, slope = self.conv, self.residual, _slope(self.activation)
        if (
            slope is None
            or not (isinstance(conv, FusedConv) and type(conv).forward is FusedConv.forward)
            or not (isinstance(residual, LinearSkip) and type(residual).forward is LinearSkip.forward)
            or (self.norm_position == "inner" and len(self.norms))
            or any(_has_hooks(part) for part in (conv, self.activation, residual))
        ):
            return None
        if self.reversible and isinstance(conv, AffineConv):
            return reversible_block(graph, here, conv.affine(), slope)
        share, skip_share, skip = residual.shares(here, first)
        return conv.fused(graph, update, skip, Epilogue(slope, share, skip_share))

    def _norm(self, position: NormPosition, graph: Graph, x: Tensor, before: Tensor) -> Tensor:
        if position == self.norm_position:
            return apply_norms(self.norms, graph, x, before)
        return x


def _slope(activation: nn.Module) -> float | None:
    """The activation's slope below 0 where it is z above; None for others."""
    if type(activation) is nn.LeakyReLU:
        return activation.negative_slope
    return {nn.ReLU: 0.0, nn.Identity: 1.0}.get(type(activation))


def _has_hooks(module: nn.Module) -> bool:
    """Whether somebody listens to this part of the block, or has given it a `forward` of its own."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in module.__dict__
    )
