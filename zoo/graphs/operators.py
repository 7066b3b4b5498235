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
    def forward(
        ctx: Any, x: Tensor, kernel: Kernel, before: Tensor | None, after: Tensor | None, reverse: bool
    ) -> Tensor:
        """Compute the result."""
        ctx.set_materialize_grads(False)
        ctx.arguments = kernel, before, after, reverse
        with _full_precision(x):
            y = kernel.neighbour_sum(x if before is None else x * before, reverse)
        return y if after is None else y.mul_(after)

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None) -> Any:
        """Compute the gradients by operators of this file."""
        kernel, before, after, reverse = ctx.arguments
        dx = None if dy is None else NeighbourSum.apply(dy, kernel, after, before, not reverse)
        return dx, None, None, None, None


class WeightedSum(Function):
    """y[v] = Σ_e w_e x[u] over the in-edges e = (u, v) of v; x [sources, heads, d], w [edges, heads]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, kernel: Kernel, reverse: bool) -> Tensor:
        """Compute the result."""
        ctx.save_for_backward(x, weights)
        ctx.arguments = kernel, reverse
        with _full_precision(x):
            return kernel.weighted_sum(x, weights, reverse)

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


class EdgeDot(Function):
    """z_e = left[u]·right[v] for each edge e = (u, v) and head; both are [nodes, heads, d]."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, kernel: Kernel) -> Tensor:
        """Compute the result."""
        ctx.save_for_backward(left, right)
        ctx.kernel = kernel
        with _full_precision(left):
            return kernel.edge_dot(left, right)

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


class EdgeAdd(Function):
    """z_e = left[u] + right[v] for each edge e = (u, v); both are [nodes, d]."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, structure: Structure) -> Tensor:
        """Compute the result."""
        ctx.structure = structure
        # Gathering rows of a strided tensor is several times slower than copying it first.
        left, right = left.contiguous(), right.contiguous()
        return left.index_select(0, structure.src).add_(right.index_select(0, structure.dst))

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        dleft = EdgeSum.apply(dz, ctx.structure, True) if ctx.needs_input_grad[0] else None
        dright = EdgeSum.apply(dz, ctx.structure, False) if ctx.needs_input_grad[1] else None
        return dleft, dright, None


class EdgeSum(Function):
    """y[v] = Σ_e z_e over the in-edges of v (or, `at_source`, over the out-edges); z is [edges, d]."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, structure: Structure, at_source: bool) -> Tensor:
        """Compute the result."""
        ctx.arguments = structure, at_source
        with _full_precision(z):
            return structure.rows(at_source).edge_sum(z)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        return EdgeGather.apply(dy, *ctx.arguments), None, None


class EdgeGather(Function):
    """z_e = y[v] for each edge e = (u, v) (or, `at_source`, y[u]); y is [nodes, d]."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, structure: Structure, at_source: bool) -> Tensor:
        """Compute the result."""
        ctx.arguments = structure, at_source
        return y.index_select(0, structure.src if at_source else structure.dst)

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        return EdgeSum.apply(dz, *ctx.arguments), None, None


class EdgeSoftmax(Function):
    """p_e = exp(s_e) / Σ exp(s_e′) over the in-edges e′ of e's destination; s is [edges, heads]."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, structure: Structure) -> Tensor:
        """Compute the result."""
        rows, dst = structure.incoming, structure.dst
        with _full_precision(scores):
            p = scores.sub(rows.edge_max(scores).index_select(0, dst)).exp_()
            p.div_(rows.edge_sum(p).index_select(0, dst))
        ctx.save_for_backward(p)
        ctx.structure = structure
        return p

    @staticmethod
    def backward(ctx: Any, dp: Tensor) -> Any:
        """Compute the gradients by operators of this file."""
        (p,) = ctx.saved_tensors
        weighted = p * dp
        total = EdgeGather.apply(EdgeSum.apply(weighted, ctx.structure, False), ctx.structure, False)
        return weighted - p * total, None


def _full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """Autocast would hand sparse products a half-precision operand, which they do not take."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
