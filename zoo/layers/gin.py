"""Graph isomorphism convolutions: of Xu et al. (ICLR 2019), and with edge features of Hu et al. (ICLR 2020)."""

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn

from zoo.graphs.graph import Graph
from zoo.layers.block import make_activation
from zoo.layers.conv import Conv
from zoo.layers.edge_embedding import embed_edges, make_edge_embedding
from zoo.layers.linear import Linear
from zoo.normalizers.standard import RowBatchNorm
from zoo.recipe.fields import Activation, EdgeEmbedding, Few


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


class GINEConv(IsomorphismConv):
    """Graph isomorphism convolution with edges, MLP((1 + ε) x_i + Σ_j ReLU(x_j + e_ij)).

    e_ij: the edge's features, embedded as wide as x. The sum grows with the degree, as that of `gin` does.

    edge_embedding: how edge features become float ones. eps, learn_eps: ε, and whether it is trained. layers: linear
    maps in the MLP, with the activation between them. expansion: how many times as wide as the result the MLP is
    inside. batch_norm: batch normalisation before each activation of the MLP. OGB's models of molecules have expansion
    2, batch_norm and learn_eps.
    Raises: BuildError, when it is run, for a graph whose edges have no features, or others than the embedding takes.
    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, appendix; as in OGB's examples.
    """

    reads_edges = True
    same_in_training = True

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
        super().__init__(in_width, out_width, eps=eps, learn_eps=learn_eps)
        self.edge_embedding = make_edge_embedding(edge_embedding, in_width)
        self.mlp = make_mlp(in_width, out_width, expansion * out_width, layers, activation, batch_norm)

    def messages(self, graph: Graph, x: Tensor) -> Tensor:
        """Return Σ ReLU(x + e)."""
        edges = embed_edges(self.edge_embedding, graph, self.in_width, "gine", plain="gin")
        return graph.edge_sum((graph.at_edges(x) + edges).relu_())


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
