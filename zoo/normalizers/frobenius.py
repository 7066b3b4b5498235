"""Frobenius normalisation of weight matrices, hard and soft."""

from abc import abstractmethod
from typing import Literal

from torch import Tensor

from zoo.engine.rescaling import Factor, Rescaling, frobenius_norm, into_ball, onto_sphere, rescaled
from zoo.normalizers.base import BoundedNormalizer, Rows
from zoo.recipe.fields import Mode, Scale

Heads = Literal["each", "mean"]


class FrobeniusFactor(BoundedNormalizer):
    """W times a factor of ‖W‖_F."""

    def __init__(self, *, c: Scale = 1.0, mode: Mode = "reparametrize", heads: Heads = "each") -> None:
        super().__init__(c=c, mode=mode)
        self.heads: Heads = heads

    @abstractmethod
    def factor(self, c: Tensor) -> Factor:
        """Return the factor by the bound, [matrices, 1, …]."""

    def normalize(self, weight: Tensor) -> Tensor:
        """Return the matrices times their factors; shapes [..., d_in, d_out]."""
        if self.heads == "mean" and weight.dim() >= 4:
            scale, _ = self.factor(self.c)(frobenius_norm(weight).mean(dim=-3, keepdim=True))
            return weight * scale
        return rescaled(weight, self.factor(self.c))

    rescales = normalize

    def rescaling(self, rows: Rows = ...) -> Rescaling | None:
        """Return the same of some matrices, unless a block's heads share a factor."""
        return Rescaling(self.factor(self.c[rows])) if self.heads == "each" else None


class Frobenius(FrobeniusFactor):
    """c·W/‖W‖_F: every matrix lies on the sphere of radius c.

    Bound: ‖W‖_2 ≤ ‖W‖_F = c. A branch act(ÂXW) with ‖Â‖_2 ≤ 1 and a 1-Lipschitz activation then has Lipschitz constant
    at most c, and its residual block at most 1 + c. It does not bound a block with attention (whose coefficients depend
    on X), with sum aggregation (a factor ‖A‖_2, up to the largest degree) or with mean aggregation on irregular graphs
    (‖D⁻¹A‖_2 may exceed 1); a block with several matrices adds or multiplies their bounds.

    A zero matrix stays zero, with the gradient that dividing by 1 gives.

    Options:
        c: the bound; a number, or "auto" to calibrate it at initialisation.
        mode: `reparametrize` or `project`, see `WeightNormalizer`.
        heads: for multi-head weights [blocks, heads, d_in, d_out]. "each" normalises every head by its own norm; "mean"
            divides all heads of a block by the mean of their norms. With "mean" the heads' norms are c on average, and
            one head may reach heads·c. Weights with fewer than four axes have no heads axis.

    Source: arXiv 2410.04824, Lipschitz normalisation.
    """

    same_in_training = True

    def factor(self, c: Tensor) -> Factor:
        """Return c/‖W‖."""
        return onto_sphere(c)


class FrobeniusSoft(FrobeniusFactor):
    """W/max(1, ‖W‖_F/c): the identity inside the ball of radius c, `Frobenius` outside.

    Bound: ‖W‖_2 ≤ ‖W‖_F ≤ c; what follows from it for a block, and where nothing does, stands at `Frobenius`. Options
    are those of `Frobenius`; with heads="mean" the mean of the heads' norms is at most c.

    Source: the earlier code of the authors of arXiv 2410.04824; in `project` mode it is the projection onto the ball.
    """

    same_in_training = True

    def factor(self, c: Tensor) -> Factor:
        """Return 1/max(1, ‖W‖/c)."""
        return into_ball(c)
