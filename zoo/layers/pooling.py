"""Pooling: from the nodes of each graph of a batch to one row for each graph."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.linear import Linear


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

    same_in_training = True

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the sums; a graph without nodes gives 0."""
        return graph.graph_sum(x)


class MeanPooling(Pooling):
    """Mean over the nodes of a graph."""

    same_in_training = True

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the means; a graph without nodes gives 0."""
        return graph.graph_mean(x)


class MaxPooling(Pooling):
    """Largest value of each column among the nodes of a graph; equal ones share its gradient."""

    same_in_training = True

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the largest values; a graph without nodes gives 0."""
        return graph.graph_max(x)


class AttentionPooling(Pooling):
    """Σ_v softmax(a·x)_v x_v over the nodes v of a graph, with a learned vector a: a mean that learns whom to hear.

    Source: Li, Tarlow, Brockschmidt & Zemel, ICLR 2016 (arXiv 1511.05493), eq. 7, with a softmax over the graph in
    place of the sigmoid of each node, and without a map of the features besides: the head after it is one.
    """

    same_in_training = True

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.score = Linear(width, 1, bias=False)  # a bias would change no softmax

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the weighted means, in the precision of a; a graph without nodes gives 0."""
        x = x.to(self.score.weight.dtype)
        return graph.graph_sum(graph.graph_softmax(self.score(x)) * x)
