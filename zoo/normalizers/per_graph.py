"""Means over the nodes of a graph; in a batch of graphs, of each graph by itself."""

from typing import Any

from torch import Tensor


def batched(graph: Any) -> bool:
    """Whether it is a batch of graphs."""
    return getattr(graph, "sizes", None) is not None


def node_mean(graph: Any, x: Tensor) -> Tensor:
    """The mean of x [nodes, width] over the nodes of each node's graph: [nodes, width], of one graph [width]."""
    return graph.to_nodes(graph.graph_mean(x)) if batched(graph) else x.mean(dim=0)
