"""Semi-orthogonal weight matrices."""

from typing import Literal

import torch
from torch import Tensor

from zoo.engine.rescaling import divisor, frobenius_norm
from zoo.normalizers.base import BoundedNormalizer
from zoo.recipe.fields import Few, Mode, Scale


class Orthogonal(BoundedNormalizer):
    """c·Q with QᵀQ = I (tall or square W) or QQᵀ = I (wide W): every singular value is c.

    Bound: ‖W‖_2 = c, and no direction of the smaller side is lost. What follows for a block, and where nothing does
    (attention, sum and mean aggregation), stands at `Frobenius`. Every head of a multi-head weight is its own matrix.

    Options:
        c: the common singular value; a number, or "auto" to calibrate it at initialisation.
        method: "bjorck" takes the nearest semi-orthogonal matrix, W(WᵀW)^(-1/2), by the Newton–Schulz iteration
            W ← W(3I − WᵀW)/2 after dividing W by ‖WᵀW‖_F^(1/2) ≥ ‖W‖_2. A small singular value grows by 3/2 in an
            iteration and none exceeds 1: with too few iterations the bound still holds, but small ones stay below c. A
            zero matrix stays zero. "qr" takes Q of W = QR with a positive diagonal of R: exact and cheaper, but not the
            nearest; its gradient is finite only where W has full rank.
        mode: `reparametrize` or `project`, see `WeightNormalizer`.
        iterations: of "bjorck". For 64×64 they bring every entry of QᵀQ − I below 1e-3 if the condition number of W is
            below 790 (20 iterations), 6400 (25) or 52000 (30). Of Gaussian matrices 85 %, 98 % and 99.8 % are; their
            median error in float32 is 3e-7. All iterations are kept for the backward pass: 512 matrices of 64×64 take
            1.5 s, forward and backward, on one CPU core, "qr" a tenth of that.

    Source: Björck & Bowie 1971, SIAM J. Numer. Anal. 8(2); Anil, Lucas & Grosse 2019 (arXiv 1811.05381).
    """

    same_in_training = True

    def __init__(
        self,
        *,
        c: Scale = 1.0,
        method: Literal["bjorck", "qr"] = "bjorck",
        mode: Mode = "reparametrize",
        iterations: Few = 25,
    ) -> None:
        super().__init__(c=c, mode=mode)
        self.method = method
        self.iterations = iterations

    def normalize(self, weight: Tensor) -> Tensor:
        """Return c·Q; shapes [..., d_in, d_out]."""
        wide = weight.shape[-2] < weight.shape[-1]
        tall = weight.mT if wide else weight
        q = _qr(tall) if self.method == "qr" else _bjorck(tall, self.iterations)
        return self.c * (q.mT if wide else q)


def _qr(weight: Tensor) -> Tensor:
    q, r = torch.linalg.qr(weight)
    negative = r.diagonal(dim1=-2, dim2=-1).unsqueeze(-2) < 0
    return torch.where(negative, -q, q)


def _bjorck(weight: Tensor, iterations: int) -> Tensor:
    weight = weight / divisor(frobenius_norm(weight))
    q = weight / divisor(frobenius_norm(weight.mT @ weight)).sqrt()
    for _ in range(iterations):
        q = 1.5 * q - 0.5 * q @ (q.mT @ q)
    return q
