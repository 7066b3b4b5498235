"""Weight normalisation: length and direction of each column apart."""

import torch
from torch import Tensor, nn

from zoo.engine.rescaling import divisor
from zoo.normalizers.base import WeightNormalizer
from zoo.recipe.fields import Mode


class WeightNorm(WeightNormalizer):
    """g_j·w_j/‖w_j‖ for each output column w_j of W, with a gain g_j that starts at ‖w_j‖.

    With `mode: reparametrize` g is learned and nothing is bounded: ‖W‖_2 ≤ ‖g‖, and g may grow. With `mode: project` g
    stays as it starts, so ‖W‖_2 ≤ ‖W‖_F stays at most its initial value; a block with attention or sum aggregation is
    not bounded by that, see `Frobenius`. A column that is zero at the start stays zero.

    Source: Salimans & Kingma 2016 (arXiv 1602.07868), equation 2.
    """

    same_in_training = True
    g: Tensor

    def __init__(self, *, mode: Mode = "reparametrize") -> None:
        super().__init__(mode=mode)

    @torch.no_grad()
    def warm_up(self, weight: Tensor) -> None:
        """Make g [..., 1, d_out], the column norms: a parameter if it is learned, a buffer if not."""
        gain = _column_norm(weight)
        if self.mode == "reparametrize":
            self.g = nn.Parameter(gain)
        else:
            self.register_buffer("g", gain)

    def normalize(self, weight: Tensor) -> Tensor:
        """Return g_j·w_j/‖w_j‖; shapes [..., d_in, d_out]."""
        return weight * (self.g / divisor(_column_norm(weight)))


def _column_norm(weight: Tensor) -> Tensor:
    return torch.linalg.vector_norm(weight, dim=-2, keepdim=True)
