"""Norms of stacked matrices, in a form that one may divide by."""

import torch
from torch import Tensor


def frobenius_norm(weight: Tensor) -> Tensor:
    """‖W‖_F of each matrix: [..., d_in, d_out] → [..., 1, 1]."""
    return torch.linalg.vector_norm(weight, dim=(-2, -1), keepdim=True)


def column_norm(weight: Tensor) -> Tensor:
    """‖w_j‖ of each column: [..., d_in, d_out] → [..., 1, d_out]."""
    return torch.linalg.vector_norm(weight, dim=-2, keepdim=True)


def trace(matrix: Tensor) -> Tensor:
    """Sum of each matrix's diagonal: [..., d, d] → [..., 1, 1]."""
    return matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]


def divisor(norm: Tensor) -> Tensor:
    """The norm, with 1 in place of 0: what is zero stays zero, and its gradient stays finite."""
    return norm + (norm == 0)
