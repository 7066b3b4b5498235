"""Float features made of what the edges carry; each convolution that reads them has an embedding of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from registry import edge_embeddings
from zoo.contracts import returned
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.embedding import look_up
from zoo.layers.linear import glorot, zeros
from zoo.ogb_backend import bond_encoder
from zoo.recipe.fields import Count


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
