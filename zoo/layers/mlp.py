"""A convolution that does not look at the graph."""

from torch import Tensor

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv
from zoo.layers.linear import Linear


class MLPConv(Conv):
    """Linear map x W + b of each node on its own: what depth does when there is no graph to smooth over."""

    same_in_training = True

    def __init__(self, in_width: int, out_width: int, *, bias: bool = True) -> None:
        super().__init__(in_width, out_width)
        self.linear = Linear(in_width, out_width, bias=bias)

    @property
    def propagation(self) -> Norm | None:
        """None: each node keeps to itself."""
        return None

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return x W + b."""
        return self.linear(graph.at_destinations(x))
