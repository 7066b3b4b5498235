"""Graph isomorphism network of Xu, Hu, Leskovec & Jegelka (ICLR 2019)."""

import torch
from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm
from zoo.layers.activation import make_activation
from zoo.layers.conv import Conv
from zoo.layers.linear import Linear
from zoo.recipe.fields import Activation, Count


class GINConv(Conv):
    """Graph isomorphism convolution MLP((1 + ε) x_i + Σ_j x_j) (Xu et al., ICLR 2019, eq. 4.1).

    eps, learn_eps: ε, and whether it is trained. layers: linear maps in the MLP, with the activation between them.
    batch_norm: batch normalisation before each of these activations, as in the authors' code. The sum grows with the
    degree: nothing bounds the layer's Lipschitz constant by that of its weights alone.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        eps: float = 0.0,
        learn_eps: bool = False,
        layers: Count = 2,
        activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
        batch_norm: bool = False,
    ) -> None:
        super().__init__(in_width, out_width)
        initial = torch.tensor(float(eps))
        if learn_eps:
            self.eps = nn.Parameter(initial)
        else:
            self.register_buffer("eps", initial)
        parts: list[nn.Module] = [Linear(in_width, out_width)]
        for _ in range(layers - 1):
            parts += [nn.BatchNorm1d(out_width)] if batch_norm else []
            parts += [make_activation(activation), Linear(out_width, out_width)]
        self.mlp = nn.Sequential(*parts)

    @property
    def propagation(self) -> Norm:
        """By sums."""
        return "sum"

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return MLP((1 + ε) x + A x)."""
        return self.mlp((1 + self.eps) * graph.at_destinations(x) + graph.propagate(x, "sum"))
