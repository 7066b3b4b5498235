"""Gradients of the sparse products.

Each backward is made of the operators of this file, so all are differentiable any number of times, and none
differentiates through the making of a sparse tensor. Features are float32 or float64 here.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.graphs.kernel import Kernel, Structure


class NeighbourSum(Function):
    """y = after ∘ A (before ∘ x), with `before`, `after` constant columns [n, 1] or None. Saves no features."""

    @staticmethod
    def forward(x: Tensor, kernel: Kernel, before: Tensor | None, after: Tensor | None, reverse: bool) -> Tensor:
        """Compute the result."""
        with _full_precision(x):
            return kernel.neighbour_sum(x, reverse, before, after)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        ctx.set_materialize_grads(False)
        _, *ctx.arguments = inputs

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None) -> Any:
        """Compute the gradients by operators of this file."""
        kernel, before, after, reverse = ctx.arguments
        dx = None if dy is None else NeighbourSum.apply(dy, kernel, after, before, not reverse)
        return dx, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, *arguments: Any) -> Any:
        """Members side by side in the columns."""
        return _side_by_side(NeighbourSum, info, in_dims, (x,), arguments)


class WeightedSum(Function):
    """y[v] = Σ_e w_e x[u] over the in-edges e = (u, v) of v; x [sources, heads, d], w [edges, heads]."""

    @staticmethod
    def forward(x: Tensor, weights: Tensor, kernel: Kernel, reverse: bool) -> Tensor:
        """Compute the result."""
        with _full_precision(x):
            return kernel.weighted_sum(x, weights, reverse)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        x, weights, *ctx.arguments = inputs
        ctx.save_for_backward(x, weights)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        x, weights = ctx.saved_tensors
        kernel, reverse = ctx.arguments
        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = WeightedSum.apply(dy, weights, kernel, not reverse)
        if ctx.needs_input_grad[1]:
            dw = EdgeDot.apply(dy, x, kernel) if reverse else EdgeDot.apply(x, dy, kernel)
        return dx, dw, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, weights: Tensor, *arguments: Any) -> Any:
        """Members side by side as heads."""
        return _side_by_side(WeightedSum, info, in_dims, (x, weights), arguments)


class EdgeDot(Function):
    """z_e = left[u]·right[v] for each edge e = (u, v) and head; both are [nodes, heads, d]."""

    @staticmethod
    def forward(left: Tensor, right: Tensor, kernel: Kernel) -> Tensor:
        """Compute the result."""
        with _full_precision(left):
            return kernel.edge_dot(left, right)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        left, right, ctx.kernel = inputs
        ctx.save_for_backward(left, right)

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        left, right = ctx.saved_tensors
        dleft = dright = None
        if ctx.needs_input_grad[0]:
            dleft = WeightedSum.apply(right, dz, ctx.kernel, True)
        if ctx.needs_input_grad[1]:
            dright = WeightedSum.apply(left, dz, ctx.kernel, False)
        return dleft, dright, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, left: Tensor, right: Tensor, kernel: Kernel) -> Any:
        """Members side by side as heads."""
        return _side_by_side(EdgeDot, info, in_dims, (left, right), (kernel,))


class EdgeAdd(Function):
    """z_e = left[u] + right[v] for each edge e = (u, v); both are [nodes, d]."""

    @staticmethod
    def forward(left: Tensor, right: Tensor, structure: Structure) -> Tensor:
        """Compute the result."""
        # Gathering rows of a strided tensor is several times slower than copying it first.
        left, right = left.contiguous(), right.contiguous()
        return left.index_select(0, structure.src).add_(right.index_select(0, structure.dst))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        ctx.structure = inputs[2]

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        dleft = EdgeSum.apply(dz, ctx.structure, True) if ctx.needs_input_grad[0] else None
        dright = EdgeSum.apply(dz, ctx.structure, False) if ctx.needs_input_grad[1] else None
        return dleft, dright, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, left: Tensor, right: Tensor, structure: Structure) -> Any:
        """Members side by side in the columns."""
        return _side_by_side(EdgeAdd, info, in_dims, (left, right), (structure,))


class EdgeSum(Function):
    """y[v] = Σ_e z_e over the in-edges of v (or, `at_source`, over the out-edges); z is [edges, d]."""

    @staticmethod
    def forward(z: Tensor, structure: Structure, at_source: bool) -> Tensor:
        """Compute the result."""
        with _full_precision(z):
            return structure.rows(at_source).edge_sum(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        _, *ctx.arguments = inputs

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        return EdgeGather.apply(dy, *ctx.arguments), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, z: Tensor, *arguments: Any) -> Any:
        """Members side by side in the columns."""
        return _side_by_side(EdgeSum, info, in_dims, (z,), arguments)


class EdgeGather(Function):
    """z_e = y[v] for each edge e = (u, v) (or, `at_source`, y[u]); y is [nodes, d]."""

    @staticmethod
    def forward(y: Tensor, structure: Structure, at_source: bool) -> Tensor:
        """Compute the result."""
        return y.index_select(0, structure.src if at_source else structure.dst)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        _, *ctx.arguments = inputs

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        return EdgeSum.apply(dz, *ctx.arguments), None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, y: Tensor, *arguments: Any) -> Any:
        """Members side by side in the columns."""
        return _side_by_side(EdgeGather, info, in_dims, (y,), arguments)


class EdgeSoftmax(Function):
    """p_e = exp(s_e) / Σ exp(s_e′) over the in-edges e′ of e's destination; s is [edges, heads]."""

    @staticmethod
    def forward(scores: Tensor, structure: Structure) -> Tensor:
        """Compute the result."""
        rows, dst = structure.incoming, structure.dst
        with _full_precision(scores):
            p = scores.sub(rows.edge_max(scores).index_select(0, dst)).exp_()
            p.div_(rows.edge_sum(p).index_select(0, dst))
        return p

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep what the backward pass needs."""
        ctx.save_for_backward(output)
        ctx.structure = inputs[1]

    @staticmethod
    def backward(ctx: Any, dp: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        (p,) = ctx.saved_tensors
        weighted = p * dp
        total = EdgeGather.apply(EdgeSum.apply(weighted, ctx.structure, False), ctx.structure, False)
        return weighted - p * total, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, scores: Tensor, structure: Structure) -> Any:
        """Members side by side as heads."""
        return _side_by_side(EdgeSoftmax, info, in_dims, (scores,), (structure,))


def _side_by_side(
    operator: Any, info: Any, in_dims: Any, tensors: tuple[Tensor, ...], arguments: tuple[Any, ...]
) -> tuple[Tensor, int]:
    """An operator on the tensors of several members of a `torch.vmap`, as one on tensors that are so much wider.

    All operators act on each column, or each head, by itself, and the second dimension is that of columns or heads: a
    member's [rows, k, …] stand there side by side, [rows, members·k, …]. One pass over the edges serves all members.
    """
    members = info.batch_size
    wide: list[Tensor] = []
    for tensor, place in zip(tensors, in_dims, strict=False):
        lying = tensor.unsqueeze(1) if place is None else tensor.movedim(place, 1)
        lying = lying.expand(-1, members, *lying.shape[2:])
        wide.append(lying.flatten(1, 2))
    result: Tensor = operator.apply(*wide, *arguments)
    return result.unflatten(1, (members, -1)), 1


def _full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """Autocast would hand sparse products a half-precision operand, which they do not take."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
