"""Pooling: from the nodes of each graph of a batch to one row for each graph."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from zoo.graphs.graph import Graph


class Pooling(nn.Module, ABC):
    """Maps [nodes, width] to [graphs, width]; built with the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """x: [nodes, width], the nodes of all graphs of the batch; the result is [graphs, width]."""


class SumPooling(Pooling):
    """Σ over the nodes of a graph."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the sums; a graph without nodes gives 0."""
        return graph.graph_sum(x)


class MeanPooling(Pooling):
    """Mean over the nodes of a graph."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the means; a graph without nodes gives 0."""
        return graph.graph_mean(x)
