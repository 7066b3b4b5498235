"""Differentiable group normalisation (DGN)."""

import torch
from torch import Tensor, nn

from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.recipe.fields import Count, Fraction, NonNegative, Positive


class DifferentiableGroupNorm(FeatureNormalizer):
    """x + λ Σ_g BN_g(s_g ∘ x), with s = softmax(x U) the shares of a node in each group g.

    U is learned, [width, groups]. BN_g is a batch normalisation of its own for each group, for each channel over the
    nodes: (· − mean)/sqrt(var + eps)·γ_g + β_g, with running statistics in eval; γ and β are [groups, width]. The
    nodes are those of all graphs of a batch, as in batch normalisation.

    Memory is nodes × (width + groups). Computes in float32 at least, also under autocast. Bounds no Lipschitz constant.

    Options: groups: their number; scale: λ, 0.001 to 0.03 in the paper, by data set and depth; momentum: the weight of
    the newest statistics in the running ones; eps: added to the variance.
    Source: Zhou et al., NeurIPS 2020 (arXiv 2006.06972); momentum from the authors' code.
    """

    recordable = True
    per_node = True
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        width: int,
        *,
        groups: Count = 10,
        scale: NonNegative = 0.01,
        momentum: Fraction = 0.3,
        eps: Positive = 1e-5,
    ) -> None:
        super().__init__(width)
        self.assignment = nn.Linear(width, groups, bias=False)
        self.gamma = nn.Parameter(torch.ones(groups, width))
        self.beta = nn.Parameter(torch.zeros(groups, width))
        self.register_buffer("running_mean", torch.zeros(groups, width))
        self.register_buffer("running_var", torch.ones(groups, width))
        self.scale = scale
        self.momentum = momentum
        self.eps = eps

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        with torch.autocast(x.device.type, enabled=False):
            wide = x.to(torch.promote_types(x.dtype, self.gamma.dtype))
            share = self.assignment(wide).softmax(dim=1)
            normalised = self._in_training(wide, share) if self.training else self._in_eval(wide, share)
        return x + (self.scale * normalised).to(x.dtype)

    def _in_training(self, x: Tensor, share: Tensor) -> Tensor:
        """Return Σ_g BN_g(s_g ∘ x) by the statistics of these nodes, which go into the running ones.

        With x = x̄ + δ and s = s̄ + ε, s_g ∘ x − s̄_g x̄ = s_g ∘ δ + ε_g x̄. The statistics are taken from this deviation:
        where the nodes are nearly equal, mean(y²) − mean(y)² of y = s_g ∘ x itself would be rounding alone.
        """
        nodes = len(x)
        mean, mean_share = x.mean(dim=0), share.mean(dim=0)
        off, off_share = x - mean, share - mean_share
        shift = share.t() @ off / nodes
        square = share.square().t() @ off.square() + 2 * mean * ((share * off_share).t() @ off)
        square = (square + off_share.square().sum(dim=0)[:, None] * mean.square()) / nodes
        variance = (square - shift.square()).clamp(min=0)
        with torch.no_grad():
            self.running_mean.lerp_(mean_share[:, None] * mean + shift, self.momentum)
            self.running_var.lerp_(variance * (nodes / max(nodes - 1, 1)), self.momentum)
        slope = self.gamma * (variance + self.eps).rsqrt()
        return off * (share @ slope) + off_share @ (slope * mean) + (self.beta - slope * shift).sum(dim=0)

    def _in_eval(self, x: Tensor, share: Tensor) -> Tensor:
        slope = self.gamma * (self.running_var + self.eps).rsqrt()
        return x * (share @ slope) + (self.beta - slope * self.running_mean).sum(dim=0)
