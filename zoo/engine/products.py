"""Products of features with weights: of one network, or of several, each with a weight of its own.

Features are [nodes, width] and a weight is [in, out]; of several networks both have one more, leading, dimension.
"""

import torch
from torch import Tensor


def times(
    x: Tensor, weight: Tensor, *, out: Tensor | None = None, add: Tensor | None = None, share: float = 1
) -> Tensor:
    """Return x W + share·add; with `out` in its memory, and then without gradients."""
    if add is None:
        return torch.mm(x, weight, out=out) if x.dim() == 2 else torch.bmm(x, weight, out=out)
    run = torch.addmm if x.dim() == 2 else torch.baddbmm
    return run(add, x, weight, beta=share, out=out)


def add_times(to: Tensor, x: Tensor, weight: Tensor) -> None:
    """Add x W to what `to` holds."""
    if x.dim() == 2:
        to.addmm_(x, weight)
    else:
        to.baddbmm_(x, weight)


def weight_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """∂/∂W of x W, from ∂/∂(x W): xᵀ dy."""
    return torch.mm(x.t(), dy) if x.dim() == 2 else torch.bmm(x.mT, dy)
