"""Graph isomorphism convolution of Xu et al. (ICLR 2019)."""

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.block import make_activation
from zoo.layers.conv import Conv
from zoo.layers.linear import Linear
from zoo.normalizers.standard import RowBatchNorm
from zoo.recipe.fields import Activation, Few


class IsomorphismConv(Conv):
    """MLP((1 + ε) x_i + the sum of messages from in-neighbours)."""

    propagation = "sum"
    self_loops = "avoid"
    eps: Tensor
    mlp: nn.Sequential

    def __init__(self, in_width: int, out_width: int, *, eps: float, learn_eps: bool) -> None:
        super().__init__(in_width, out_width)
        if learn_eps:
            self.eps = nn.Parameter(torch.tensor(float(eps)))
        else:
            self.register_buffer("eps", torch.tensor(float(eps)))

    @abstractmethod
    def messages(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the sum of messages at each node; x: [sources, in_width], the result is [nodes, in_width]."""

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return MLP((1 + ε) x + messages)."""
        return self.mlp((1 + self.eps) * graph.at_destinations(x) + self.messages(graph, x))


class GINConv(IsomorphismConv):
    """Graph isomorphism convolution MLP((1 + ε) x_i + Σ_j x_j) (Xu et al., ICLR 2019, eq. 4.1).

    eps, learn_eps: ε, and whether it is trained. layers: linear maps in the MLP, with the activation between them.
    batch_norm: batch normalisation before each of these activations, as in the authors' code. The sum grows with the
    degree: nothing bounds the layer's Lipschitz constant by that of its weights alone.
    """

    same_in_training = True

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        eps: float = 0.0,
        learn_eps: bool = False,
        layers: Few = 2,
        activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
        batch_norm: bool = False,
    ) -> None:
        super().__init__(in_width, out_width, eps=eps, learn_eps=learn_eps)
        self.mlp = make_mlp(in_width, out_width, out_width, layers, activation, batch_norm)

    def messages(self, graph: Graph, x: Tensor) -> Tensor:
        """Return A x."""
        return graph.propagate(x, "sum")


def make_mlp(
    in_width: int, out_width: int, hidden: int, layers: int, activation: Activation, batch_norm: bool
) -> nn.Sequential:
    """Return the MLP of a graph isomorphism convolution: linear maps over `hidden` columns, activations between."""
    widths = [in_width, *[hidden] * (layers - 1), out_width]
    parts: list[nn.Module] = [Linear(widths[0], widths[1])]
    for inputs, outputs in pairwise(widths[1:]):
        parts += [RowBatchNorm(inputs)] if batch_norm else []
        parts += [make_activation(activation), Linear(inputs, outputs)]
    return nn.Sequential(*parts)
