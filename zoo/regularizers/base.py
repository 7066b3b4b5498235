"""The interface of a regulariser, and no regularisation."""

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

    def __init_subclass__(cls, **options: Any) -> None:
        """Take `thin`, its name until 0.1.0, for `drop_edges`."""
        super().__init_subclass__(**options)
        cls.drop_edges = vars(cls).get("thin", cls.drop_edges)

    def extra_repr(self) -> str:
        """Return the options, for `print`."""
        return ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in vars(self).items()
            if name != "training" and not name.startswith("_")
        )

    def drop_edges(self, graph: GraphLike) -> GraphLike:
        """Return the graph that blocks run on; the default is the graph itself."""
        return graph

    def features(self, graph: NetworkGraph, x: Tensor) -> Tensor:
        """Return the input features that the network sees, [nodes, in]; the default is x itself."""
        return x

    def mix(self, graph: GraphLike, before: Tensor, after: Tensor) -> Tensor:
        """Return X_l of a block, `before` and `after` being its input and output, [nodes, width] both."""
        return after

    def penalty(self, network: Any) -> Tensor | None:
        """Return a scalar to add to the loss of a network with `block_matrices`; None, the default, adds nothing."""
        return None


class NoRegularizer(Regularizer):
    """Changes nothing: training runs the network as evaluation does, but for dropout."""

    same_in_training = True
