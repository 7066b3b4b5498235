"""Matrices times a factor that depends on a norm of theirs, with few passes over them in either direction."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.normalizers.norms import divisor, frobenius_norm

# Of a norm, the factor and its derivative by the norm.
Factor = Callable[[Tensor], tuple[Tensor, Tensor]]


class Rescaling(NamedTuple):
    """s(‖W‖)·W of stacked matrices.

    factor: of their norms, gives s. measure: of the matrices, gives the norms and their gradient D, a constant for
    which ‖W‖ = ⟨D, W⟩; without, the norm is Frobenius'.
    """

    factor: Factor
    measure: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None


def onto_sphere(c: Tensor) -> Factor:
    """The factor c/‖W‖; 0 for ‖W‖ is taken as 1."""
    return partial(_onto_sphere, c)


def into_ball(c: Tensor) -> Factor:
    """The factor 1/max(1, ‖W‖/c)."""
    return partial(_into_ball, c)


def rescaled(weight: Tensor, factor: Factor, direction: Tensor | None = None) -> Tensor:
    """s(‖W‖)·W for each matrix; shapes [..., d_in, d_out].

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


def pulled_back(
    gradient: Tensor,
    weight: Tensor,
    direction: Tensor | None,
    factor: Factor,
    known: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Tensor:
    """Return dW = s·G + s'·⟨G, W⟩·D.

    known: norm, scale and slope, where they are constants; without, all is differentiable, by W too.
    """
    if known is None:
        norm = _norm(weight, direction)
        scale, slope = factor(norm)
    else:
        norm, scale, slope = known
    along = slope * (gradient * weight).sum(dim=(-2, -1), keepdim=True)
    if direction is None:  # W/‖W‖
        direction, along = weight, along / divisor(norm)
    return (gradient * scale).addcmul_(direction, along)


def _onto_sphere(c: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
    norm = divisor(norm)
    scale = c / norm
    return scale, -scale / norm


def _into_ball(c: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
    scale = 1 / (norm / c).clamp_min(1)
    return scale, torch.where(norm >= c, -scale / divisor(norm), 0.0)


class _Rescaled(torch.autograd.Function):
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
        (gradient,) = gradients
        weight, direction, norm, scale, slope = ctx.saved_tensors
        known = None if torch.is_grad_enabled() else (norm, scale, slope)
        found = pulled_back(gradient, weight, direction, ctx.factor, known)
        return found, None, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, int]:
        """The members of a `torch.vmap` as one more leading dimension, which all of this passes over."""
        *tensors, factor = inputs
        leading = [
            None
            if tensor is None
            else (tensor.expand(info.batch_size, *tensor.shape) if place is None else tensor.movedim(place, 0))
            for tensor, place in zip(tensors, in_dims, strict=False)
        ]
        return _Rescaled.apply(*leading, factor), 0
