"""The interface of a regulariser."""

from abc import ABC
from typing import Any

from torch import Tensor, nn

from zoo.graph_like import GraphLike, NetworkGraph


class Regularizer(nn.Module, ABC):
    """Acts on a network while it is trained; the network calls it in training mode only.

    What it draws at random comes from PyTorch's generator on the CPU, whatever the device, so that a resumed training
    draws what an uninterrupted one draws. Nothing may be changed in place. The graph is a `Graph`.

    A class may say `same_in_training` where the network's output stays what it is in evaluation, as with a penalty; see
    `zoo.training.declared`.

    per_block: whether `drop_edges` is called for each block anew, rather than once for each forward pass.
    """

    per_block: bool = False

    def drop_edges(self, graph: GraphLike) -> GraphLike:
        """The graph that blocks run on; the default is the graph itself."""
        return graph

    def features(self, graph: NetworkGraph, x: Tensor) -> Tensor:
        """The input features that the network sees, [nodes, in]; the default is x itself."""
        return x

    def mix(self, graph: GraphLike, before: Tensor, after: Tensor) -> Tensor:
        """X_l of a block whose input and output have one shape [nodes, width]; the default is its output, `after`."""
        return after

    def penalty(self, network: Any) -> Tensor | None:
        """What is added to the loss, a scalar, for a network with `block_matrices`; None, the default, is nothing."""
        return None


class NoRegularizer(Regularizer):
    """Changes nothing: training runs the network as evaluation does, but for dropout."""

    same_in_training = True
