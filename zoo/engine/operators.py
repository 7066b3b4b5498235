"""Differentiable sparse products over the edges of a graph.

Each backward is made of the operators of this file, so all are differentiable any number of times, and none
differentiates through the making of a sparse tensor. Features are float32 or float64 here.
"""

# pyright: reportIncompatibleMethodOverride=false
# PyTorch declares other arguments for the methods of autograd's functions than it calls them with.

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.engine.kernel import Kernel
from zoo.engine.structure import Structure


class Summing(Protocol):
    """A kernel of a sum over in-neighbours, see `zoo.engine.kernel.Kernel`."""

    def neighbour_sum(self, x: Tensor, reverse: bool, before: Tensor | None, after: Tensor | None) -> Tensor:
        """Return after ∘ A (before ∘ x)."""
        ...


class _Operator(Function):
    """An operator whose leading arguments are features, of which `features` says how many, and the others constants.

    saves: whether the backward pass needs the features.
    """

    features: ClassVar[int] = 1
    saves: ClassVar[bool] = False

    @classmethod
    def setup_context(cls, ctx: Any, inputs: Any, output: Any) -> None:
        """Keep what the backward pass needs."""
        if cls.saves:
            ctx.save_for_backward(*inputs[: cls.features])
        ctx.arguments = inputs[cls.features :]

    @classmethod
    def vmap(cls, info: Any, in_dims: Any, *inputs: Any) -> tuple[Any, Any]:
        """The operator on the features of several members of a `torch.vmap`, as one on features that are so much wider.

        All operators act on each column, or each head, by itself, and the second dimension is that of columns or heads:
        a member's [rows, k, …] stand there side by side, [rows, members·k, …]. One pass over the edges serves all.
        """
        members = info.batch_size
        wide: list[Tensor | None] = []
        for tensor, place in zip(inputs[: cls.features], in_dims, strict=False):
            if tensor is None:
                wide.append(None)
                continue
            lying = tensor.unsqueeze(1) if place is None else tensor.movedim(place, 1)
            wide.append(lying.expand(-1, members, *lying.shape[2:]).flatten(1, 2))
        result: Any = cls.apply(*wide, *inputs[cls.features :])
        if isinstance(result, Tensor):
            return result.unflatten(1, (members, -1)), 1
        return tuple(part.unflatten(1, (members, -1)) for part in result), (1,) * len(result)


class NeighbourSum(_Operator):
    """y = after ∘ A (before ∘ x), with `before`, `after` constant columns [n, 1] or None. Saves no features."""

    @staticmethod
    def forward(x: Tensor, kernel: Summing, before: Tensor | None, after: Tensor | None, reverse: bool) -> Tensor:
        with _full_precision(x):
            return kernel.neighbour_sum(x, reverse, before, after)

    @classmethod
    def setup_context(cls, ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the constants; without a gradient of the result there is none of x."""
        ctx.set_materialize_grads(False)
        super().setup_context(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None) -> Any:
        kernel, before, after, reverse = ctx.arguments
        dx = None if dy is None else NeighbourSum.apply(dy, kernel, after, before, not reverse)
        return dx, None, None, None, None


class WeightedSum(_Operator):
    """y[v] = Σ_e w_e x[u] over the in-edges e = (u, v) of v; x [sources, heads, d], w [edges, heads]."""

    features = 2
    saves = True

    @staticmethod
    def forward(x: Tensor, weights: Tensor, kernel: Kernel, reverse: bool) -> Tensor:
        with _full_precision(x):
            return kernel.weighted_sum(x, weights, reverse)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        x, weights = ctx.saved_tensors
        kernel, reverse = ctx.arguments
        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = WeightedSum.apply(dy, weights, kernel, not reverse)
        if ctx.needs_input_grad[1]:
            dw = EdgeDot.apply(dy, x, kernel) if reverse else EdgeDot.apply(x, dy, kernel)
        return dx, dw, None, None


class EdgeDot(_Operator):
    """z_e = left[u]·right[v] for each edge e = (u, v) and head; both are [nodes, heads, d]."""

    features = 2
    saves = True

    @staticmethod
    def forward(left: Tensor, right: Tensor, kernel: Kernel) -> Tensor:
        with _full_precision(left):
            return kernel.edge_dot(left, right)

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        left, right = ctx.saved_tensors
        (kernel,) = ctx.arguments
        dleft = WeightedSum.apply(right, dz, kernel, True) if ctx.needs_input_grad[0] else None
        dright = WeightedSum.apply(left, dz, kernel, False) if ctx.needs_input_grad[1] else None
        return dleft, dright, None


class EdgeAdd(_Operator):
    """z_e = left[u] + right[v] for each edge e = (u, v); both are [nodes, d]."""

    features = 2

    @staticmethod
    def forward(left: Tensor, right: Tensor, structure: Structure) -> Tensor:
        # Gathering rows of a strided tensor is several times slower than copying it first.
        left, right = left.contiguous(), right.contiguous()
        return left.index_select(0, structure.src).add_(right.index_select(0, structure.dst))

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        (structure,) = ctx.arguments
        dleft = EdgeSum.apply(dz, structure, True) if ctx.needs_input_grad[0] else None
        dright = EdgeSum.apply(dz, structure, False) if ctx.needs_input_grad[1] else None
        return dleft, dright, None


class EdgeSum(_Operator):
    """y[v] = Σ_e z_e over the in-edges of v (or, `at_source`, over the out-edges); z is [edges, d]."""

    @staticmethod
    def forward(z: Tensor, structure: Structure, at_source: bool) -> Tensor:
        with _full_precision(z):
            return structure.rows(at_source).edge_sum(z)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return EdgeGather.apply(dy, *ctx.arguments), None, None


class EdgeGather(_Operator):
    """z_e = y[v] for each edge e = (u, v) (or, `at_source`, y[u]); y is [nodes, d]."""

    @staticmethod
    def forward(y: Tensor, structure: Structure, at_source: bool) -> Tensor:
        return y.index_select(0, structure.src if at_source else structure.dst)

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Any:
        return EdgeSum.apply(dz, *ctx.arguments), None, None


class EdgeSoftmax(_Operator):
    """p_e = exp(s_e) / Σ exp(s_e′) over the in-edges e′ of e's destination; s is [edges, heads]."""

    @staticmethod
    def forward(scores: Tensor, structure: Structure) -> Tensor:
        rows, dst = structure.incoming, structure.dst
        with _full_precision(scores):
            p = scores.sub(rows.edge_max(scores).index_select(0, dst)).exp_()
            p.div_(rows.edge_sum(p).index_select(0, dst))
        return p

    @classmethod
    def setup_context(cls, ctx: Any, inputs: Any, output: Tensor) -> None:
        """Keep the result."""
        ctx.save_for_backward(output)
        ctx.structure = inputs[1]

    @staticmethod
    def backward(ctx: Any, dp: Tensor) -> Any:
        (p,) = ctx.saved_tensors
        return _softmax_backward(p, dp, ctx.structure), None


class SoftmaxSum(_Operator):
    """y[v] = Σ_e p_e m_e x[u] over the in-edges e = (u, v) of v, and p, the softmax of the scores, [edges, heads].

    x: [sources, heads, d]. factors: m, of a dropout, [edges, heads]; None is 1. Apart from each other, the gradient at
    p would be rounded before p's mean of it is taken off: where neighbours are nearly alike, next to nothing is left.
    """

    features = 3

    @staticmethod
    def forward(x: Tensor, scores: Tensor, factors: Tensor | None, kernel: Kernel) -> tuple[Tensor, Tensor]:
        p: Any = EdgeSoftmax.apply(scores, kernel.structure)
        with _full_precision(x):
            return kernel.weighted_sum(x, p if factors is None else p * factors, False), p

    @classmethod
    def setup_context(cls, ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the values, the factors and the softmax."""
        ctx.set_materialize_grads(False)
        x, _, factors, ctx.kernel = inputs
        ctx.save_for_backward(x, factors, output[1])

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dp: Tensor | None) -> Any:
        """Compute the gradients, that at the scores in double precision."""
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


def _softmax_backward(p: Tensor, dp: Tensor, structure: Structure) -> Tensor:
    """The gradient at the scores, p_e (dp_e − Σ p dp)."""

    def mean(dp: Tensor) -> Tensor:
        return EdgeGather.apply(EdgeSum.apply(p * dp, structure, False), structure, False)  # pyright: ignore

    # Any constant may be taken off first: where it is their mean, no rounding of what all dp have in common is left.
    dp = dp - mean(dp.detach()).detach()
    return p * (dp - mean(dp))


def members_first(members: int, in_dims: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The inputs of a `torch.vmap`, all tensors with a leading dimension of members, shared ones expanded."""
    return [
        given
        if not isinstance(given, Tensor)
        else (given.expand(members, *given.shape) if place is None else given.movedim(place, 0))
        for given, place in zip(inputs, in_dims, strict=True)
    ]


def _full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """Autocast would hand sparse products a half-precision operand, which they do not take."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
