"""Means over the nodes of a graph; in a batch of graphs, of each graph by itself."""

from typing import TypeGuard

from torch import Tensor

from zoo.graph_like import GraphLike


def batched(graph: GraphLike | None) -> TypeGuard[GraphLike]:
    """Return True for a batch of graphs."""
    return graph is not None and graph.sizes is not None


def node_mean(graph: GraphLike | None, x: Tensor) -> Tensor:
    """The mean of x [nodes, width] over the nodes of each node's graph: [nodes, width], of one graph [width]."""
    return graph.to_nodes(graph.graph_mean(x)) if batched(graph) else x.mean(dim=0)
