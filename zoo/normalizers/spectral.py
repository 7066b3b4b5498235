"""Spectral normalisation of weight matrices."""

from typing import Any, Literal

import torch
from torch import Tensor

from zoo.engine.rescaling import Factor, Rescaling, divisor, into_ball, onto_sphere, rescaled
from zoo.normalizers.base import BoundedNormalizer, Rows
from zoo.recipe.fields import Few, Mode, Scale

_WARM_UP_LIMIT = 1000


class Spectral(BoundedNormalizer):
    """c·W/σ(W) with σ(W) = ‖W‖_2, the largest singular value; soft: W/max(1, σ(W)/c).

    Bound: ‖W‖_2 ≤ c, as tightly as `method` knows σ. What follows for a block, and where nothing does (attention, sum
    and mean aggregation), stands at `Frobenius`. Every head of a multi-head weight is a matrix of its own.

    Options:
        c: the bound; a number, or "auto" to calibrate it at initialisation.
        mode: `reparametrize` or `project`, see `WeightNormalizer`.
        soft: leave matrices inside the ball ‖W‖_2 ≤ c alone.
        method: how σ is found.
            "gram" takes the Schatten norm (Σ σ_i^p)^(1/p), p = 2·(2^iterations + 1), by repeated squaring of WᵀW. It is
            never below ‖W‖_2, so the bound always holds, and at most rank^(1/p) above it: 0.8 % for 64×64 at 8
            iterations. It has no state.
            "power" keeps u and v and takes `iterations` steps of power iteration whenever it is called in training;
            σ = uᵀWv, with u and v frozen in eval. It is the cheapest for wide matrices, and always at or below ‖W‖_2:
            training closes the gap behind the largest singular value, the iteration lags, and the bound is missed. For
            64×64 and Adam at 0.005 ‖W‖_2 came out up to 1.11·c (8 iterations) and 1.34·c (1 iteration), and up to
            1.17·c and 1.41·c in eval, where u and v are one optimiser step old.
            "exact" takes the singular value decomposition.
        iterations: squarings for "gram", steps for "power"; "exact" ignores it.

    Source: Miyato et al. 2018 (arXiv 1802.05957) for the normalisation and power iteration; Delattre et al. 2023 (arXiv
    2305.16173) for the Gram iteration.
    """

    recordable = True
    u: Tensor
    v: Tensor

    def __init__(
        self,
        *,
        c: Scale = 1.0,
        mode: Mode = "reparametrize",
        soft: bool = False,
        method: Literal["gram", "power", "exact"] = "gram",
        iterations: Few = 8,
    ) -> None:
        super().__init__(c=c, mode=mode)
        self.soft = soft
        self.method = method
        self.iterations = iterations

    @property
    def same_in_training(self) -> bool:
        """True if no iteration goes on while weights are trained."""
        return self.method != "power" or self.mode == "project"

    @torch.no_grad()
    def warm_up(self, weight: Tensor) -> None:
        """For "power": make u [..., d_in] and v [..., d_out], and iterate until σ stands still.

        The start is drawn from a generator of its own, so that a run's random numbers are the same with and without.
        """
        if self.method != "power":
            return
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("u", _unit(torch.randn(weight.shape[:-1], generator=generator).to(weight)))
        self.register_buffer("v", _unit(torch.randn(weight[..., 0, :].shape, generator=generator).to(weight)))
        before = torch.zeros_like(weight[..., 0, 0])
        for _ in range(_WARM_UP_LIMIT):
            self._step(weight)
            sigma = _row_times(self.u, weight).mul(self.v).sum(dim=-1)
            if torch.all((sigma - before).abs() <= torch.finfo(sigma.dtype).eps * sigma):
                return
            before = sigma

    def normalize(self, weight: Tensor) -> Tensor:
        """Return c·W/σ(W), or W/max(1, σ(W)/c) where soft; shapes [..., d_in, d_out]."""
        if self.method == "exact":
            scale, _ = self._factor()(self.sigma(weight))
            return weight * scale
        return rescaled(weight, self._factor(), self._gradient(weight))

    rescales = normalize

    def rescaling(self, rows: Rows = ...) -> Rescaling | None:
        """The same of some matrices, for "gram", which has no state and whose gradient is known."""
        return Rescaling(self._factor(rows), self._schatten) if self.method == "gram" else None

    def sigma(self, weight: Tensor) -> Tensor:
        """σ(W) of each matrix: [..., d_in, d_out] → [..., 1, 1]; differentiable once in W."""
        if self.method == "exact":
            return torch.linalg.matrix_norm(weight, ord=2, keepdim=True)
        return (self._gradient(weight) * weight).sum(dim=(-2, -1), keepdim=True)

    def _factor(self, rows: Rows = ...) -> Factor:
        return into_ball(self.c[rows]) if self.soft else onto_sphere(self.c[rows])

    def _gradient(self, weight: Tensor) -> Tensor:
        """∇σ: σ has degree one in W, so σ = ⟨∇σ, W⟩, and with ∇σ held fixed the gradient of that is ∇σ again."""
        return self._outer(weight) if self.method == "power" else self._schatten(weight)[1]

    def _schatten(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        found: Any = _Schatten.apply(weight, self.iterations)
        return found

    @torch.no_grad()
    def _outer(self, weight: Tensor) -> Tensor:
        """Outer product u vᵀ, the gradient of uᵀWv; a new tensor, which later steps do not overwrite."""
        if self.training:
            for _ in range(self.iterations):
                self._step(weight)
        return self.u.unsqueeze(-1) * self.v.unsqueeze(-2)

    def _step(self, weight: Tensor) -> None:
        self.v.copy_(_unit(_row_times(self.u, weight), self.v))
        self.u.copy_(_unit(_row_times(self.v, weight.mT), self.u))


class _Schatten(torch.autograd.Function):
    """The Schatten norm ‖W‖_p, p = 2·(2^squarings + 1), and its gradient W (WᵀW)^(p/2 − 1) / ‖W‖_p^(p − 1); constants.

    W: [..., d_in, d_out]; the norm: [..., 1, 1].
    """

    @staticmethod
    def forward(weight: Tensor, squarings: int) -> tuple[Tensor, Tensor]:
        matrices = weight.reshape(-1, *weight.shape[-2:])
        wide = matrices.shape[-2] < matrices.shape[-1]
        power = matrices @ matrices.mT if wide else matrices.mT @ matrices
        # (WᵀW)^(2^step) = power · exp(logarithm): it would leave the range of floats. From 1, as it is at first, three
        # squarings of a d×d matrix bring the trace down to 1/d⁷ at least.
        square = _trace(power)  # ‖W‖²
        power.div_(divisor(square))
        logarithm = torch.zeros_like(square)
        spare = torch.empty_like(power)
        for step in range(1, squarings + 1):
            power, spare = torch.bmm(power, power, out=spare), power
            logarithm = 2 * logarithm
            if step % 3 == 0 and step < squarings:
                length = divisor(_trace(power))
                power.div_(length)
                logarithm = logarithm + length.log()
        gradient = power @ matrices if wide else matrices @ power
        total = divisor((gradient * matrices).sum(dim=(-2, -1), keepdim=True))
        p = 2 * (2**squarings + 1)
        norm = square.sqrt() * (((total / divisor(square)).log() + logarithm) / p).exp()
        gradient.mul_(norm / total)
        return norm.view(*weight.shape[:-2], 1, 1), gradient.view(weight.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], *inputs: Any) -> tuple[Any, Any]:
        weight, squarings = inputs
        return _Schatten.apply(weight.movedim(in_dims[0], 0), squarings), (0, 0)


def _row_times(row: Tensor, matrix: Tensor) -> Tensor:
    return (row.unsqueeze(-2) @ matrix).squeeze(-2)


def _unit(vector: Tensor, otherwise: Tensor | None = None) -> Tensor:
    """`vector` at length 1; where it is zero (a zero matrix), `otherwise`, so that the iteration can go on later."""
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    unit = vector / divisor(length)
    return unit if otherwise is None else torch.where(length > 0, unit, otherwise)


def _trace(matrix: Tensor) -> Tensor:
    """Return the sum of each matrix's diagonal: [..., d, d] → [..., 1, 1]."""
    return matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
