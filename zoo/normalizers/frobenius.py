"""Frobenius normalisation of weight matrices, hard and soft."""

from typing import Any, Literal

from torch import Tensor

from zoo.normalizers.base import BoundedNormalizer
from zoo.normalizers.norms import frobenius_norm
from zoo.normalizers.rescaled import Factor, Rescaling, into_ball, onto_sphere, rescaled
from zoo.recipe.fields import Mode, Scale

Heads = Literal["each", "mean"]


class Frobenius(BoundedNormalizer):
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

    def __init__(self, *, c: Scale = 1.0, mode: Mode = "reparametrize", heads: Heads = "each") -> None:
        super().__init__(c=c, mode=mode)
        self.heads: Heads = heads

    def normalize(self, weight: Tensor) -> Tensor:
        """Return c·W/‖W‖_F; shapes [..., d_in, d_out]."""
        return _normalized(weight, onto_sphere(self.c), self.heads)

    def rescaling(self, rows: Any = ...) -> Rescaling | None:
        """The same of some matrices, unless a block's heads share a factor."""
        return Rescaling(onto_sphere(self.c[rows])) if self.heads == "each" else None


class FrobeniusSoft(BoundedNormalizer):
    """W/max(1, ‖W‖_F/c): the identity inside the ball of radius c, `Frobenius` outside.

    Bound: ‖W‖_2 ≤ ‖W‖_F ≤ c; what follows from it for a block, and where nothing does, is said at `Frobenius`. Options
    are those of `Frobenius`; with heads="mean" the mean of the heads' norms is at most c.

    Source: the earlier code of the authors of arXiv 2410.04824; in `project` mode it is the projection onto the ball.
    """

    same_in_training = True

    def __init__(self, *, c: Scale = 1.0, mode: Mode = "reparametrize", heads: Heads = "each") -> None:
        super().__init__(c=c, mode=mode)
        self.heads: Heads = heads

    def normalize(self, weight: Tensor) -> Tensor:
        """Return W/max(1, ‖W‖_F/c); shapes [..., d_in, d_out]."""
        return _normalized(weight, into_ball(self.c), self.heads)

    def rescaling(self, rows: Any = ...) -> Rescaling | None:
        """The same of some matrices, unless a block's heads share a factor."""
        return Rescaling(into_ball(self.c[rows])) if self.heads == "each" else None


def _normalized(weight: Tensor, factor: Factor, heads: Heads) -> Tensor:
    if heads == "mean" and weight.dim() >= 4:
        scale, _ = factor(frobenius_norm(weight).mean(dim=-3, keepdim=True))
        return weight * scale
    return rescaled(weight, factor)
