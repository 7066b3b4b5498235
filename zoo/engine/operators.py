"""Gradients of the sparse products.

Each backward is made of the operators of this file, so all are differentiable any number of times, and none
differentiates through the making of a sparse tensor. Features are float32 or float64 here.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.kernel import Kernel, Structure


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
        return _softmax_backward(p, dp, ctx.structure), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, scores: Tensor, structure: Structure) -> Any:
        """Members side by side as heads."""
        return _side_by_side(EdgeSoftmax, info, in_dims, (scores,), (structure,))


class SoftmaxSum(Function):
    """y[v] = Σ_e p_e m_e x[u] over the in-edges e = (u, v) of v, and p, the softmax of the scores, [edges, heads].

    x: [sources, heads, d]. factors: m, of a dropout, [edges, heads]; None is 1. Apart from each other, the gradient at
    p would be rounded before p's mean of it is taken off: where neighbours are nearly alike, next to nothing is left.
    """

    @staticmethod
    def forward(x: Tensor, scores: Tensor, factors: Tensor | None, kernel: Kernel) -> tuple[Tensor, Tensor]:
        """Compute the result."""
        p: Any = EdgeSoftmax.apply(scores, kernel.structure)
        with _full_precision(x):
            return kernel.weighted_sum(x, p if factors is None else p * factors, False), p

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep what the backward pass needs."""
        ctx.set_materialize_grads(False)
        x, _, factors, ctx.kernel = inputs
        ctx.save_for_backward(x, factors, output[1])

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dp: Tensor | None) -> Any:
        """Compute the gradients by operators of this file, that at the scores in double precision."""
        x, factors, p = ctx.saved_tensors
        dx = dscores = None
        if dy is not None and ctx.needs_input_grad[0]:
            dx = WeightedSum.apply(dy, p if factors is None else p * factors, ctx.kernel, True)
        if dy is not None and ctx.needs_input_grad[1]:
            found = EdgeDot.apply(x.double(), dy.double(), ctx.kernel)
            found = found if factors is None else found * factors
            dp = found if dp is None else found + dp
        if dp is not None and ctx.needs_input_grad[1]:
            dscores = _softmax_backward(p.double(), dp.double(), ctx.kernel.structure).to(p.dtype)
        return dx, dscores, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, scores: Tensor, factors: Tensor | None, kernel: Kernel) -> Any:
        """Members side by side as heads."""
        if factors is None:
            return _side_by_side(SoftmaxSum, info, in_dims, (x, scores), (None, kernel))
        return _side_by_side(SoftmaxSum, info, in_dims, (x, scores, factors), (kernel,))


def _softmax_backward(p: Tensor, dp: Tensor, structure: Structure) -> Tensor:
    """The gradient at the scores, p_e (dp_e − Σ p dp)."""

    def mean(dp: Tensor) -> Tensor:
        return EdgeGather.apply(EdgeSum.apply(p * dp, structure, False), structure, False)  # pyright: ignore

    # Any constant may be taken off first: where it is their mean, no rounding of what all dp have in common is left.
    dp = dp - mean(dp.detach()).detach()
    return p * (dp - mean(dp))


def _side_by_side(
    operator: Any, info: Any, in_dims: Any, tensors: tuple[Tensor, ...], arguments: tuple[Any, ...]
) -> tuple[Any, Any]:
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
    result = operator.apply(*wide, *arguments)
    if isinstance(result, Tensor):
        return result.unflatten(1, (members, -1)), 1
    return tuple(part.unflatten(1, (members, -1)) for part in result), (1,) * len(result)


def _full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """Autocast would hand sparse products a half-precision operand, which they do not take."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
