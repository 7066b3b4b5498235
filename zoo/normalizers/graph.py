"""GraphNorm: instance normalisation that learns how much of the mean to take away."""

import torch
from torch import Tensor, nn

from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.normalizers.per_graph import node_mean
from zoo.recipe.fields import Positive


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
