"""DropEdge."""

import torch

from zoo.graph_like import GraphLike
from zoo.recipe.fields import Probability
from zoo.regularizers.base import Regularizer


class DropEdge(Regularizer):
    """Each training pass runs on a random (1−p)·|E| of the edges, self-loops aside, renormalised.

    A_drop = A − A′, where A′ holds round(p·|E|) edges drawn uniformly without replacement; convolutions run on A_drop
    with the self-loops that the graph had, at the degrees that are left. The two directions of an undirected edge are
    two edges and are drawn apart, as in the authors' code. Evaluation, and what probes measure by, is the whole graph.

    Options: p: the share dropped; per_block: draw anew for each block, the paper's layer-wise DropEdge.
    Source: Rong, Huang, Xu & Huang, ICLR 2020 (arXiv 1907.10903), §4.
    """

    def __init__(self, *, p: Probability = 0.5, per_block: bool = False) -> None:
        super().__init__()
        self.p = p
        self.per_block = per_block

    def drop_edges(self, graph: GraphLike) -> GraphLike:
        """Return the graph with fewer edges."""
        structure = graph.structure
        edges = (structure.src != structure.dst).nonzero().squeeze(1)
        dropped = torch.randperm(len(edges))[: round(self.p * len(edges))].to(edges.device)
        keep = torch.ones(graph.edges, dtype=torch.bool, device=edges.device)
        keep[edges[dropped]] = False
        return graph.edge_subgraph(keep)
