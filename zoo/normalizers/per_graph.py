"""Means over the nodes of a graph; in a batch of graphs, of each graph by itself."""

from typing import Literal, TypeGuard

import torch
from torch import Tensor, nn

from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.recipe.fields import Positive


def batched(graph: GraphLike | None) -> TypeGuard[GraphLike]:
    """Return True for a batch of graphs."""
    return graph is not None and graph.sizes is not None


def node_mean(graph: GraphLike | None, x: Tensor) -> Tensor:
    """The mean of x [nodes, width] over the nodes of each node's graph: [nodes, width], of one graph [width]."""
    return graph.to_nodes(graph.graph_mean(x)) if batched(graph) else x.mean(dim=0)


class GraphNorm(FeatureNormalizer):
    """γ·(x − α·mean)/sqrt(mean((x − α·mean)²) + eps) + β, for each channel over the nodes of each graph.

    α, γ and β are learned, [width] each, and start at 1, 1 and 0: that is instance normalisation. There are no running
    statistics; each graph of a batch has its own. Bounds no Lipschitz constant: it divides by a statistic that may be
    small.

    Options: eps: added to the mean of the squares.
    Source: Cai et al., ICML 2021 (arXiv 2009.03294).
    """

    same_in_training = True

    def __init__(self, width: int, *, eps: Positive = 1e-5) -> None:
        super().__init__(width)
        self.alpha = nn.Parameter(torch.ones(width))
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        shifted = x - self.alpha * node_mean(graph, x)
        return self.gamma * shifted / (node_mean(graph, shifted.square()) + self.eps).sqrt() + self.beta


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
