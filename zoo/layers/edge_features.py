"""Convolutions that read edge features, each with an embedding that makes float features of what the edges carry."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from registry import edge_embeddings
from zoo.contracts import returned
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv
from zoo.layers.embedding import look_up
from zoo.layers.gin import IsomorphismConv, make_mlp
from zoo.layers.linear import Linear, glorot, zeros
from zoo.ogb_backend import bond_encoder
from zoo.recipe.fields import Activation, Count, Few
from zoo.recipe.fields import EdgeEmbedding as EdgeEmbeddingField


class EdgeEmbedding(nn.Module, ABC):
    """Maps what a graph's edges carry to float features [edges, width]; built with the width of the convolution."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x: [edges, columns], float or int64; the result is float [edges, width]."""


class BondEmbedding(EdgeEmbedding):
    """OGB's encoder of bonds: the sum over three columns of a learned vector for each category.

    Source: `BondEncoder` of Hu et al., "Open Graph Benchmark", NeurIPS 2020; its parameters are those of OGB's class.
    """

    same_in_training = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder: Any = bond_encoder(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return Σ_k E_k[x_k]."""
        return look_up([table.weight for table in self.encoder.bond_embedding_list], x, "edge_embedding.bond")


class CategoryEdgeEmbedding(EdgeEmbedding):
    """The sum over columns of a learned vector for each category, drawn from Glorot's uniform distribution.

    categories: how many each column has.
    """

    same_in_training = True

    def __init__(self, width: int, *, categories: tuple[Count, ...]) -> None:
        super().__init__()
        if not categories:
            raise BuildError("edge_embedding.category — no categories — expected one number for each column")
        self.columns = nn.ModuleList([nn.Embedding(many, width) for many in categories])
        for column in self.columns:
            nn.init.xavier_uniform_(column.weight)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """Return Σ_k E_k[x_k]."""
        tables: list[Any] = [column.weight for column in self.columns]
        return look_up(tables, x, "edge_embedding.category")


class LinearEdgeEmbedding(EdgeEmbedding):
    """A linear map x M + b of float features. columns: how many an edge has."""

    same_in_training = True

    def __init__(self, width: int, *, columns: Count) -> None:
        super().__init__()
        self.map = glorot(columns, width)
        self.bias = zeros(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x M + b."""
        if not x.is_floating_point() or x.dim() != 2 or x.shape[1] != len(self.map):
            raise BuildError(
                f"edge_embedding.linear — got {x.dtype} {list(x.shape)} — expected floats [edges, {len(self.map)}] — "
                + (f"columns={x.shape[-1]}" if x.is_floating_point() else "edge_embedding=category")
            )
        return x.to(self.map.dtype) @ self.map + self.bias


def make_edge_embedding(named: str | Callable[..., Any], width: int) -> EdgeEmbedding:
    """Return the edge embedding of a name, or of a factory."""
    return (edge_embeddings.get(named) if isinstance(named, str) else named)(width)


def edge_features(graph: Graph, conv: str, *, plain: str | None = None) -> Tensor:
    """Return what the graph's edges carry. conv: the one that asks; plain: one like it that does without.

    Raises: BuildError if the edges carry nothing.
    """
    if graph.edge_features is None:
        raise BuildError(
            f"conv {conv} — the graph's edges have no features — expected a data set whose edges have some, with "
            f"prepare.edge_features=keep — conv={plain or 'gin, or another that reads none'}"
        )
    return graph.edge_features


def embed_edges(embedding: nn.Module, graph: Graph, width: int, conv: str, *, plain: str) -> Tensor:
    """Return what a convolution reads of the graph's edges, floats [edges, width]; arguments as of `edge_features`.

    Raises: BuildError if the edges carry nothing; ComponentError for an embedding of another shape.
    """
    made, like = embedding(edge_features(graph, conv, plain=plain)), next(embedding.parameters(), None)
    like = torch.empty(0, device=graph.device) if like is None else like
    return returned("edge embedding", embedding, made, (graph.edges, width), like, "[edges, width]", any_float=True)


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
        edge_embedding: EdgeEmbeddingField = "bond",  # pyright: ignore[reportArgumentType]
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


class GCNEdgeConv(Conv):
    """Graph convolution with edges, Σ_j ReLU(h_j + e_ij)/√(d_i d_j) + ReLU(h_i + r)/d_i, with h = x W + b.

    e_ij: the edge's features, embedded as wide as h. r: a vector that the node itself has in place of an edge. d_i: one
    more than the number of edges that end at i, for d_j that start at j; so the graph should have no loops of its own.

    edge_embedding: how edge features become float ones. bias: whether there is b.
    Raises: BuildError, when it is run, for a graph whose edges have no features, or others than the embedding takes.
    Source: `GCNConv` of the examples/graphproppred/mol of OGB (Hu et al., NeurIPS 2020), after Kipf & Welling, ICLR
    2017, eq. 2; r is drawn from the standard normal distribution, as there.
    """

    self_loops = "avoid"
    reads_edges = True
    same_in_training = True

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        edge_embedding: EdgeEmbeddingField = "bond",  # pyright: ignore[reportArgumentType]
        bias: bool = True,
    ) -> None:
        super().__init__(in_width, out_width)
        self.linear = Linear(in_width, out_width, bias=bias)
        self.edge_embedding = make_edge_embedding(edge_embedding, out_width)
        self.root = nn.Parameter(torch.randn(out_width))

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Return the sum of messages and the node's own."""
        edges = embed_edges(self.edge_embedding, graph, self.out_width, "gcn-edge", plain="gcn")
        h = self.linear(x)
        inwards, outwards = ((d + 1).to(edges.dtype)[:, None] for d in (graph.in_degrees, graph.out_degrees))
        messages = (graph.at_edges(h) + edges).relu_() * graph.at_edges(outwards.rsqrt())
        own = (graph.at_destinations(h) + self.root).relu_() / inwards
        return graph.edge_sum(messages) * inwards.rsqrt() + own
