"""PairNorm and its mean-only part: normalisations made against oversmoothing.

Neither bounds a Lipschitz constant: the scale divides by a statistic of the input that may be small. In a batch of
graphs, means are those of each graph by itself.
"""

from typing import Literal

from torch import Tensor

from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.normalizers.per_graph import batched, node_mean
from zoo.recipe.fields import Positive

_EPS = 1e-6


class PairNorm(FeatureNormalizer):
    """Keep the total pairwise distance of the nodes constant; x̄ is the mean over nodes, s the scale.

    PN: s(x_i − x̄)/sqrt(mean_k ‖x_k − x̄‖² + 1e-6), so that μ = ‖X − 1x̄‖_F of the output is s·√n (up to the 1e-6).
    PN-SI: s(x_i − x̄)/sqrt(‖x_i − x̄‖² + 1e-6), each node by its own length.
    PN-SCS: s·x_i/sqrt(‖x_i‖² + 1e-6) − x̄, scaled first; x̄ is the mean of the input.

    Options: variant: one of these; scale: s, 0.1 to 100 in the paper.
    Source: Zhao & Akoglu 2020 (arXiv 1909.12223); PN-SCS from the authors' code.
    """

    same_in_training = True

    def __init__(self, width: int, *, variant: Literal["PN", "PN-SI", "PN-SCS"] = "PN", scale: Positive = 1.0) -> None:
        super().__init__(width)
        self.variant = variant
        self.scale = scale

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        mean = node_mean(graph, x)
        if self.variant == "PN-SCS":
            return self.scale * x / _square(x).add(_EPS).sqrt() - mean
        x = x - mean
        square = _square(x)
        if self.variant == "PN":
            square = node_mean(graph, square) if batched(graph) else square.mean()
        return self.scale * x / (square + _EPS).sqrt()


class MeanNorm(FeatureNormalizer):
    """x_i − x̄: subtract the mean over nodes from every node; PairNorm without the scale.

    Source: Yang et al. 2020 (arXiv 2003.13663).
    """

    same_in_training = True

    def __init__(self, width: int) -> None:
        super().__init__(width)

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the centred features; `x` and the result are [nodes, width]."""
        return x - node_mean(graph, x)


def _square(x: Tensor) -> Tensor:
    return x.square().sum(dim=-1, keepdim=True)
