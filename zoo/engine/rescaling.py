"""Matrices times a factor of a norm of theirs, with few passes over them in either direction."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from zoo.contracts import broken
from zoo.engine.operators import members_first
from zoo.system.private import run_backward_first

# Of a norm, the factor and its derivative by the norm.
Factor = Callable[[Tensor], tuple[Tensor, Tensor]]
# Bytes of matrices in a part: on a CPU what stays in its cache, elsewhere what keeps the device busy.
_ON_CPU, _ELSEWHERE = 2**20, 2**24


class Rescaling(NamedTuple):
    """s(‖W‖)·W of stacked matrices.

    factor: of their norms, gives s. measure: of the matrices, gives the norms and their gradient D, a constant for
    which ‖W‖ = ⟨D, W⟩; without, the norm is Frobenius'.
    """

    factor: Factor
    measure: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None


def onto_sphere(c: Tensor) -> Factor:
    """Return the factor c/‖W‖; 0 for ‖W‖ is taken as 1."""

    def factor(norm: Tensor) -> tuple[Tensor, Tensor]:
        norm = divisor(norm)
        scale = c / norm
        return scale, -scale / norm

    return factor


def into_ball(c: Tensor) -> Factor:
    """Return the factor 1/max(1, ‖W‖/c)."""

    def factor(norm: Tensor) -> tuple[Tensor, Tensor]:
        scale = 1 / (norm / c).clamp_min(1)
        return scale, torch.where(norm >= c, -scale / divisor(norm), 0.0)

    return factor


def frobenius_norm(weight: Tensor) -> Tensor:
    """Return ‖W‖_F of each matrix: [..., d_in, d_out] → [..., 1, 1]."""
    return torch.linalg.vector_norm(weight, dim=(-2, -1), keepdim=True)


def divisor(norm: Tensor) -> Tensor:
    """Return the norm with 1 in place of 0: what is zero stays zero, and its gradient stays finite."""
    return norm + (norm == 0)


def rescale(weights: Sequence[Tensor], rescaling: Callable[[slice], Rescaling]) -> list[Tensor]:
    """Return the weights rescaled, a few at a time; each is [d_in, d_out] or [heads, d_in, d_out], all of one shape.

    rescaling: how the weights of some rows of their stack are rescaled. Not under function transforms.

    Besides the results nothing is kept for the backward pass but the parameters themselves, which must be unchanged
    then, and D, where there is one. A part runs backwards as soon as the last gradient of its weights is there, and not
    after all blocks, so that results make room for gradients.
    """
    size = _ON_CPU if weights[0].device.type == "cpu" else _ELSEWHERE
    many = max(1, size // max(1, weights[0].nbytes))
    found: list[Tensor] = []
    for start in range(0, len(weights), many):
        rows = slice(start, start + many)
        results: Any = _RescaledPart.apply(rescaling(rows), *weights[rows])
        run_backward_first(results[0])
        found += results
    return found


def rescaled(weight: Tensor, factor: Factor, direction: Tensor | None = None) -> Tensor:
    """Return s(‖W‖)·W for each matrix; shapes [..., d_in, d_out].

    direction: D, the gradient of the norm, which is then ⟨D, W⟩ and D a constant; without, the norm is Frobenius'.
    Differentiable once, and for Frobenius' norm as often as one likes. No gradient reaches `factor`.

    What autograd would make of the formula takes three times as long: in the backward pass it writes five tensors of
    the size of all matrices, and this two. dW = s·G + s'·⟨G, W⟩·D.
    """
    with torch.no_grad():
        norm = _norm(weight, direction)
        scale, slope = factor(norm)
    if not torch.is_grad_enabled():
        return weight * scale
    return _Rescaled.apply(weight, direction, norm, scale, slope, factor)  # pyright: ignore[reportReturnType]


def _norm(weight: Tensor, direction: Tensor | None) -> Tensor:
    return frobenius_norm(weight) if direction is None else (direction * weight).sum(dim=(-2, -1), keepdim=True)


def _pulled_back(
    gradient: Tensor, weight: Tensor, direction: Tensor | None, factor: Factor, known: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Return dW = s·G + s'·⟨G, W⟩·D; known: norm, scale and slope. Differentiable, by W too, where gradients are on."""
    norm, scale, slope = known
    if torch.is_grad_enabled():
        norm = _norm(weight, direction)
        scale, slope = factor(norm)
    along = slope * (gradient * weight).sum(dim=(-2, -1), keepdim=True)
    if direction is None:  # W/‖W‖
        direction, along = weight, along / divisor(norm)
    return (gradient * scale).addcmul_(direction, along)


class _Rescaled(Function):
    """`rescaled`, of stacked matrices."""

    @staticmethod
    def forward(
        weight: Tensor, direction: Tensor | None, norm: Tensor, scale: Tensor, slope: Tensor, factor: Factor
    ) -> Tensor:
        return weight * scale

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.factor = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, direction, *known = ctx.saved_tensors
        return _pulled_back(gradients[0], weight, direction, ctx.factor, tuple(known)), None, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, int]:
        """Run on the members of a `torch.vmap` as one more leading dimension, which all of this passes over."""
        return _Rescaled.apply(*members_first(info.batch_size, in_dims, inputs)), 0


class _RescaledPart(Function):
    """Some matrices rescaled, each an input, so that their gradients go to where they stand."""

    @staticmethod
    def forward(ctx: Any, rescaling: Rescaling, *weights: Tensor) -> tuple[Tensor, ...]:
        """Stack, and scale the stack in place: what is returned are its rows."""
        stacked = torch.stack(weights)
        norm, direction = (frobenius_norm(stacked), None) if rescaling.measure is None else rescaling.measure(stacked)
        scale, slope = rescaling.factor(norm)
        if scale.shape != norm.shape:
            wrong = f"returned factors {list(scale.shape)}"
            broken("normalizer", rescaling.factor, wrong, f"one for each matrix, {list(norm.shape)}, as its norms are")
        ctx.save_for_backward(direction, norm, scale, slope, *weights)
        ctx.factor = rescaling.factor
        return stacked.mul_(scale).unbind()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        direction, norm, scale, slope, *weights = ctx.saved_tensors
        known = norm, scale, slope
        return None, *_pulled_back(torch.stack(gradients), torch.stack(weights), direction, ctx.factor, known).unbind()
