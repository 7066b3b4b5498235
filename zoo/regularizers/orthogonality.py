"""A penalty that keeps weight matrices near orthogonal ones."""

from typing import Any

import torch
from torch import Tensor

from zoo.recipe.fields import Positive
from zoo.regularizers.base import Regularizer


class Orthogonality(Regularizer):
    """Adds weight·Σ_l ‖W_lᵀW_l/s − I‖_F² to the loss, over the matrices of all blocks and heads.

    For a matrix with more columns than rows it is W Wᵀ, since WᵀW cannot be the identity. The stored matrices are
    meant, also where a normaliser computes others from them.

    Options: weight: of the penalty; scale: s, the square of the singular values that are aimed at.
    Source: Bansal, Chen & Wang, NeurIPS 2018 (arXiv 1810.09102), soft orthogonality, where s is 1.
    """

    same_in_training = True

    def __init__(self, *, weight: Positive = 1e-4, scale: Positive = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.scale = scale

    def penalty(self, network: Any) -> Tensor | None:
        """Return the penalty, a scalar; None for a network without matrices in its blocks."""
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for matrix in network.block_matrices().values():
            by_shape.setdefault(matrix.shape, []).append(matrix)
        terms = [self._distance(torch.stack(matrices)) for matrices in by_shape.values()]
        return self.weight * torch.stack(terms).sum() if terms else None

    def _distance(self, matrices: Tensor) -> Tensor:
        wide = matrices.shape[-1] > matrices.shape[-2]
        gram = matrices @ matrices.mT if wide else matrices.mT @ matrices
        identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        return (gram / self.scale - identity).square().sum()
