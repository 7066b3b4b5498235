"""The norm of all gradients together, and a bound on it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zoo.system.private import foreach_norm


@torch.no_grad()
def clipped_norm(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """The norm of all gradients together, a scalar, after whose reading they are scaled down to `largest`.

    Infinite for `largest` leaves them alone: `clip_grad_norm_`, which is called otherwise, multiplies them by 1.
    """
    if largest < torch.inf:
        return nn.utils.clip_grad_norm_(parameters, largest)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(foreach_norm(gradients)))
