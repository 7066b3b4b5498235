"""Graph isomorphism network of Xu, Hu, Leskovec & Jegelka (ICLR 2019)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.activation import make_activation
from zoo.layers.conv import Conv
from zoo.layers.linear import Linear
from zoo.normalizers.single_row import RowBatchNorm
from zoo.recipe.fields import Activation, Few


class GINConv(Conv):
    """Graph isomorphism convolution MLP((1 + ε) x_i + Σ_j x_j) (Xu et al., ICLR 2019, eq. 4.1).

    eps, learn_eps: ε, and whether it is trained. layers: linear maps in the MLP, with the activation between them.
    batch_norm: batch normalisation before each of these activations, as in the authors' code. The sum grows with the
    degree: nothing bounds the layer's Lipschitz constant by that of its weights alone.
    """

    self_loops = "avoid"
    same_in_training = True
    eps: Tensor

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
        super().__init__(in_width, out_width)
        make_epsilon(self, eps, learn_eps)
        self.mlp: nn.Sequential = make_mlp(in_width, out_width, out_width, layers, activation, batch_norm)

    @property
    def propagation(self) -> Norm:
        """By sums."""
        return "sum"

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return MLP((1 + ε) x + A x)."""
        return self.mlp((1 + self.eps) * graph.at_destinations(x) + graph.propagate(x, "sum"))


def make_epsilon(conv: Conv, eps: float, learned: bool) -> None:
    """Give the convolution its ε, as the parameter or the buffer `eps`."""
    initial = torch.tensor(float(eps))
    if learned:
        conv.eps = nn.Parameter(initial)
    else:
        conv.register_buffer("eps", initial)


def make_mlp(
    in_width: int, out_width: int, hidden: int, layers: int, activation: Activation, batch_norm: bool
) -> nn.Sequential:
    """The MLP of a graph isomorphism convolution: linear maps over `hidden` columns, activations between them."""
    widths = [in_width, *[hidden] * (layers - 1), out_width]
    parts: list[nn.Module] = [Linear(widths[0], widths[1])]
    for inputs, outputs in pairwise(widths[1:]):
        parts += [RowBatchNorm(inputs)] if batch_norm else []
        parts += [make_activation(activation), Linear(inputs, outputs)]
    return nn.Sequential(*parts)
