"""How much the rows of a node matrix differ: the quantity that smoothing destroys and expansion blows up."""

import torch
from torch import Tensor


def similarity(x: Tensor) -> Tensor:
    """μ(X) = ‖X − 1γ_X‖_F with γ_X the mean row: 0 if and only if all rows are equal (arXiv 2410.04824).

    x: [nodes, width]; returns a scalar in float32, or float64 if x is float64. The mean is taken out before squaring:
    ‖X‖² − ‖1γ‖² would cancel exactly where μ is small.
    """
    x = _wide(x)
    return torch.linalg.vector_norm(x - x.mean(dim=0, keepdim=True))


def norm(x: Tensor) -> Tensor:
    """‖X‖_F, which tells plain vanishing from smoothing when read beside μ. Shapes as in `similarity`."""
    return torch.linalg.vector_norm(_wide(x))


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
