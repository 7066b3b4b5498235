"""Propagation without weights: what decoupled networks, which transform first and propagate later, are made of."""

from typing import Literal

from torch import Tensor

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv


class Propagation(Conv):
    """One step of propagation Â X, without weights or bias; x and the result are [nodes, width].

    norm: the weights in Â, "both" for 1/√(d_i d_j) or "right" for the mean over in-neighbours.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(self, width: int, *, norm: Literal["both", "right"] = "both") -> None:
        super().__init__(width, width)
        self.norm: Literal["both", "right"] = norm

    @property
    def propagation(self) -> Norm:
        """`norm`."""
        return self.norm

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return Â x."""
        return graph.propagate(x, self.norm)
