"""Overflow, found where it begins: which blocks have values that are not finite."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.probes.base import MatrixProbe
from zoo.probes.matrix import NodeMatrix


class Finite(MatrixProbe):
    """1 where every value of a block's gradient, or output, is finite, else 0; NaN, as ever, where nothing came.

    Norms do not tell these apart: a matrix with infinities has the norm NaN, too. Name: `<of>.finite`.
    """

    columns = ("finite",)

    def reduce(self, matrix: NodeMatrix) -> Sequence[Tensor]:
        """All in one number."""
        return [torch.isfinite(matrix.x).all().to(matrix.x.dtype)]
