"""DropNode."""

from typing import Literal

import torch
from torch import Tensor

from zoo.graph_like import GraphLike, NetworkGraph
from zoo.recipe.fields import Probability
from zoo.regularizers.base import Regularizer


class DropNode(Regularizer):
    """Each training pass leaves out each node with probability p.

    kind "features": x_i ← ε_i/(1−p)·x_i with ε_i ~ Bernoulli(1−p), at the network's input. The expectation is x, and
    evaluation takes x as it is. "edges": nodes keep their features and lose all edges but self-loops, so that those
    which stay run on the graph that they induce.

    "features" is what was published under this name, without the authors' consistency loss over several draws.

    Options: p: the probability; kind.
    Source: "features" is Feng et al., NeurIPS 2020 (GRAND, arXiv 2005.11079), §3; "edges" is the node sampling that
    Huang et al. 2020 (arXiv 2008.09864) compare with DropEdge.
    """

    def __init__(self, *, p: Probability = 0.5, kind: Literal["features", "edges"] = "features") -> None:
        super().__init__()
        self.p = p
        self.kind: Literal["features", "edges"] = kind

    def features(self, graph: NetworkGraph, x: Tensor) -> Tensor:
        """Return the features with rows of zeros, for kind "features"."""
        if self.kind == "edges":
            return x
        return x * (self._kept(len(x), x.device).to(x.dtype) / (1 - self.p))[:, None]

    def drop_edges(self, graph: GraphLike) -> GraphLike:
        """Return the graph without the edges of dropped nodes, for kind "edges"."""
        if self.kind == "features":
            return graph
        src, dst = graph.structure.src, graph.structure.dst
        kept = self._kept(graph.sources, src.device)
        return graph.edge_subgraph(kept.index_select(0, src) & kept.index_select(0, dst) | (src == dst))

    def _kept(self, nodes: int, device: torch.device) -> Tensor:
        return (torch.rand(nodes) >= self.p).to(device)
