"""Graph convolution of Kipf & Welling (ICLR 2017), and its form that reads edge features."""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.engine.affine import Affine
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph
from zoo.layers.conv import Conv, FusedConv
from zoo.layers.edge_embedding import embed_edges, make_edge_embedding
from zoo.layers.linear import Linear, glorot, zeros
from zoo.recipe.fields import EdgeEmbedding


class GCNConv(FusedConv):
    """Graph convolution Â X W + b (Kipf & Welling, ICLR 2017, eq. 2).

    norm: the weights in Â, "both" for 1/√(d_i d_j) or "right" for the mean over in-neighbours. Self-loops are the
    graph's business. Multiplies and propagates in whichever order moves fewer columns over the edges.
    """

    self_loops = "add"
    same_in_training = True

    def __init__(
        self, in_width: int, out_width: int, *, norm: Literal["both", "right"] = "both", bias: bool = True
    ) -> None:
        super().__init__(in_width, out_width)
        self.norm: Norm = norm
        self.propagation = norm
        self.weight = glorot(in_width, out_width)
        self.bias = zeros(out_width) if bias else None

    def operands(self) -> Affine:
        """Return those of Â x W + b."""
        return Affine(self.weight, self.norm, bias=self.bias)


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
        edge_embedding: EdgeEmbedding = "bond",  # pyright: ignore[reportArgumentType]
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
