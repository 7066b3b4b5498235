"""Convolutions that a block runs together with what follows them, as one operator."""

from abc import abstractmethod

from torch import Tensor

from zoo.engine.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv


class FusedConv(Conv):
    """A convolution z that hands over share·act(z) + skip_share·skip as cheaply as z.

    A block may call `fused` in place of `forward`; not so where a class has a `forward` of its own.
    """

    @abstractmethod
    def fused(self, graph: Graph, x: Tensor, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
        """share·act(z) + skip_share·skip; x: [sources, in_width], skip and the result: [nodes, out_width]."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return z."""
        return self.fused(graph, x, None, Epilogue())
