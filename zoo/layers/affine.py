"""Convolutions that are affine in what they propagate: a block runs them and what follows as one operator."""

from abc import abstractmethod

from torch import Tensor

from zoo.graphs.affine import Affine, affine_block
from zoo.graphs.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv


class AffineConv(Conv):
    """A convolution Â x W + x V + b, in training as in evaluation.

    A block may run it together with its activation and its skip, `affine_block`, without a call of `forward`; not so
    where a class has a `forward` of its own.
    """

    @abstractmethod
    def affine(self) -> Affine:
        """The matrices and the bias, with the weights of the propagation."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return Â x W + x V + b."""
        return affine_block(graph, x, self.affine(), None, Epilogue())
