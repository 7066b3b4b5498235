"""Graph isomorphism network of Xu, Hu, Leskovec & Jegelka (ICLR 2019)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.block import make_activation
from zoo.layers.conv import Conv
from zoo.layers.edge_embedding import embed_edges, make_edge_embedding
from zoo.layers.linear import Linear
from zoo.normalizers.standard import RowBatchNorm
from zoo.recipe.fields import Activation, EdgeEmbedding, Few


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


class GINEConv(Conv):
    """Graph isomorphism convolution with edges, MLP((1 + ε) x_i + Σ_j ReLU(x_j + e_ij)).

    e_ij: the edge's features, embedded as wide as x. The sum grows with the degree, as that of `gin` does.

    edge_embedding: how edge features become float ones. eps, learn_eps: ε, and whether it is trained. layers: linear
    maps in the MLP, with the activation between them. expansion: how many times as wide as the result the MLP is
    inside. batch_norm: batch normalisation before each activation of the MLP. OGB's models of molecules have expansion
    2, batch_norm and learn_eps.
    Raises: BuildError, when it is run, for a graph whose edges have no features, or others than the embedding takes.
    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, appendix; as in OGB's examples.
    """

    self_loops = "avoid"
    reads_edges = True
    same_in_training = True
    eps: Tensor

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        edge_embedding: EdgeEmbedding = "bond",  # pyright: ignore[reportArgumentType]
        eps: float = 0.0,
        learn_eps: bool = False,
        layers: Few = 2,
        expansion: Few = 1,
        activation: Activation = "relu",  # pyright: ignore[reportArgumentType]
        batch_norm: bool = False,
    ) -> None:
        super().__init__(in_width, out_width)
        make_epsilon(self, eps, learn_eps)
        self.edge_embedding = make_edge_embedding(edge_embedding, in_width)
        self.mlp: nn.Sequential = make_mlp(in_width, out_width, expansion * out_width, layers, activation, batch_norm)

    @property
    def propagation(self) -> Norm:
        """By sums."""
        return "sum"

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return MLP((1 + ε) x + Σ ReLU(x + e))."""
        edges = embed_edges(self.edge_embedding, graph, self.in_width, "gine", plain="gin")
        messages = (graph.at_edges(x) + edges).relu_()
        return self.mlp((1 + self.eps) * graph.at_destinations(x) + graph.edge_sum(messages))
