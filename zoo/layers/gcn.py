"""Graph convolution of Kipf & Welling (ICLR 2017)."""

from typing import Literal

from torch import Tensor

from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm
from zoo.layers.conv import Conv
from zoo.layers.linear import glorot, zeros


class GCNConv(Conv):
    """Graph convolution Â X W + b (Kipf & Welling, ICLR 2017, eq. 2).

    norm: the weights in Â, "both" for 1/√(d_i d_j) or "right" for the mean over in-neighbours. Self-loops are the
    graph's business. Multiplies and propagates in whichever order moves fewer columns over the edges.
    """

    def __init__(
        self, in_width: int, out_width: int, *, norm: Literal["both", "right"] = "both", bias: bool = True
    ) -> None:
        super().__init__(in_width, out_width)
        self.norm: Literal["both", "right"] = norm
        self.weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    @property
    def propagation(self) -> Norm:
        """`norm`."""
        return self.norm

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return Â x W + b."""
        if self.in_width < self.out_width:
            y = graph.propagate(x, self.norm) @ self.weight
        else:
            y = graph.propagate(x @ self.weight, self.norm)
        return y if self.bias is None else y + self.bias
