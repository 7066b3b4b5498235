"""GraphSAGE of Hamilton, Ying & Leskovec (NeurIPS 2017)."""

from typing import Literal

from torch import Tensor

from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm
from zoo.layers.conv import Conv
from zoo.layers.linear import glorot, zeros


class SAGEConv(Conv):
    """GraphSAGE: x_i W_root + aggregate_j(x_j) W_neighbor + b (Hamilton et al., NeurIPS 2017, algorithm 1).

    aggregator: "mean" or "sum" over in-neighbours. Two matrices in place of one on the concatenation; no ℓ₂
    normalisation.
    """

    def __init__(
        self, in_width: int, out_width: int, *, aggregator: Literal["mean", "sum"] = "mean", bias: bool = True
    ) -> None:
        super().__init__(in_width, out_width)
        self.norm: Literal["right", "sum"] = "right" if aggregator == "mean" else "sum"
        self.root_weight = glorot(in_width, out_width)
        self.neighbor_weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    @property
    def propagation(self) -> Norm:
        """By means or sums, as the aggregator says."""
        return self.norm

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return x W_root + aggregate(x) W_neighbor + b."""
        if self.in_width < self.out_width:
            neighbors = graph.propagate(x, self.norm) @ self.neighbor_weight
        else:
            neighbors = graph.propagate(x @ self.neighbor_weight, self.norm)
        y = graph.at_destinations(x) @ self.root_weight + neighbors
        return y if self.bias is None else y + self.bias
