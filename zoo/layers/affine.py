"""Convolutions that are affine in what they propagate."""

from abc import abstractmethod

from torch import Tensor

from zoo.engine.affine import Affine, affine_block
from zoo.engine.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.layers.fused import FusedConv


class AffineConv(FusedConv):
    """A convolution Â x W + x V + b, in training as in evaluation."""

    @abstractmethod
    def affine(self) -> Affine:
        """The matrices and the bias, with the weights of the propagation."""

    def fused(self, graph: Graph, x: Tensor, skip: Tensor | None, epilogue: Epilogue) -> Tensor:
        """share·act(Â x W + x V + b) + skip_share·skip."""
        return affine_block(graph, x, self.affine(), skip, epilogue)
