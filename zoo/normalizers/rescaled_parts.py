"""Matrices of one shape rescaled a few at a time, with no copy of them that lasts."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from zoo.contracts import broken
from zoo.normalizers.norms import frobenius_norm
from zoo.normalizers.rescaled import Rescaling, pulled_back

# Bytes of matrices in a part: on a CPU what stays in its cache, elsewhere what keeps the device busy.
_ON_CPU, _ELSEWHERE = 2**20, 2**24
_FIRST = 2**64 - 1  # the place in autograd's queue of what accumulates gradients: it runs as soon as it can


def rescaled_in_parts(weights: Sequence[Tensor], rescaling: Callable[[slice], Rescaling]) -> list[Tensor]:
    """What `rescaled` makes of the stacked weights, by and by, each [d_in, d_out] or [heads, d_in, d_out].

    rescaling: how the weights of some rows of the stack are rescaled. Not under function transforms.

    Besides the results nothing is kept for the backward pass but the parameters themselves, which must be unchanged
    then, and the direction, where there is one. And a part runs backwards as soon as the last gradient of its weights
    is there, so that results make room for gradients.
    """
    size = _ON_CPU if weights[0].device.type == "cpu" else _ELSEWHERE
    many = max(1, size // max(1, weights[0].nbytes))
    found: list[Tensor] = []
    for start in range(0, len(weights), many):
        rows = slice(start, start + many)
        results: Any = _RescaledPart.apply(rescaling(rows), *weights[rows])
        # Autograd runs what was made last first, hence this after all blocks; not so a PyTorch without this method.
        hasten = getattr(results[0].grad_fn, "_set_sequence_nr", None)
        if hasten is not None:
            with suppress(TypeError, ValueError, RuntimeError):  # it is private, and changes the order alone
                hasten(_FIRST)
        found += results
    return found


class _RescaledPart(torch.autograd.Function):
    """Some matrices, each an input, so that their gradients go to where they stand."""

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
        """Stack again, and return what `rescaled` does."""
        direction, norm, scale, slope, *weights = ctx.saved_tensors
        known = None if torch.is_grad_enabled() else (norm, scale, slope)
        return None, *pulled_back(torch.stack(gradients), torch.stack(weights), direction, ctx.factor, known).unbind()
