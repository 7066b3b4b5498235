"""Graph attention of Veličković et al. (ICLR 2018), and the dynamic form of Brody et al. (ICLR 2022)."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm
from zoo.layers.conv import Conv, head_width
from zoo.layers.linear import glorot, zeros
from zoo.recipe.fields import Count, Probability

Merge = Literal["concat", "mean"]


class AttentionConv(Conv, ABC):
    """What both attention convolutions share: heads, attention dropout, merging, bias.

    A head is out_width/heads wide for merge="concat" and out_width for "mean". Each head's matrix is initialised on its
    own.
    """

    def __init__(
        self, in_width: int, out_width: int, heads: int, negative_slope: float, dropout: float, merge: Merge, bias: bool
    ) -> None:
        super().__init__(in_width, out_width)
        self.heads = heads
        self.head_width = head_width(out_width, heads) if merge == "concat" else out_width
        self.negative_slope = negative_slope
        self.attention_dropout = dropout
        self.merge: Merge = merge
        self.bias = zeros(out_width) if bias else None

    @abstractmethod
    def values_and_scores(self, graph: Graph, x: Tensor) -> tuple[Tensor, Tensor]:
        """Per head the features to be averaged, [sources, heads, d], and the scores of the edges, [edges, heads]."""

    @property
    def propagation(self) -> Norm:
        """By means: attention at equal weights is one."""
        return "right"

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Average the values of in-neighbours by their attention."""
        values, scores = self.values_and_scores(graph, x)
        weights = functional.dropout(graph.edge_softmax(scores), self.attention_dropout, self.training)
        y = graph.attend(values, weights)
        y = y.flatten(1) if self.merge == "concat" else y.mean(1)
        return y if self.bias is None else y + self.bias

    def per_head(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x W_h for each head: [n, in] and [heads, in, d] to [n, heads, d], in one product."""
        joined = weight.transpose(0, 1).reshape(self.in_width, -1)
        return (x @ joined).view(-1, self.heads, self.head_width)


class GATConv(AttentionConv):
    """Graph attention (Veličković et al., ICLR 2018, eq. 3–6).

    softmax_j(LeakyReLU(a_sᵀ W x_j + a_tᵀ W x_i)) weighs W x_j.

    heads: number of heads. merge: "concat" or "mean" of the heads. negative_slope: of the LeakyReLU.
    attention_dropout: of the weights after the softmax.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        heads: Count = 1,
        negative_slope: float = 0.2,
        attention_dropout: Probability = 0.0,
        merge: Merge = "concat",
        bias: bool = True,
    ) -> None:
        super().__init__(in_width, out_width, heads, negative_slope, attention_dropout, merge, bias)
        self.weight = glorot(heads, in_width, self.head_width)
        self.source_attention = glorot(heads, self.head_width)
        self.target_attention = glorot(heads, self.head_width)

    def values_and_scores(self, graph: Graph, x: Tensor) -> tuple[Tensor, Tensor]:
        """W x, and the scores before the softmax."""
        values = self.per_head(x, self.weight)
        # a·(W x) as (W a)·x: two columns per head, in place of products the size of the features.
        vectors = torch.stack([self.source_attention, self.target_attention], dim=-1)
        scores = (x @ (self.weight @ vectors).transpose(0, 1).reshape(self.in_width, -1)).view(-1, self.heads, 2)
        pairs = graph.edge_add(scores[..., 0], graph.at_destinations(scores)[..., 1])
        return values, functional.leaky_relu(pairs, self.negative_slope)


class GATv2Conv(AttentionConv):
    """Dynamic graph attention (Brody et al., ICLR 2022, eq. 7).

    softmax_j(aᵀ LeakyReLU(W_s x_j + W_t x_i)) weighs W_s x_j. The one bias is added at the end.

    Options as for GATConv; share_weights makes W_t = W_s. Keeps features of every edge for the backward pass.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        heads: Count = 1,
        negative_slope: float = 0.2,
        attention_dropout: Probability = 0.0,
        merge: Merge = "concat",
        bias: bool = True,
        share_weights: bool = False,
    ) -> None:
        super().__init__(in_width, out_width, heads, negative_slope, attention_dropout, merge, bias)
        self.source_weight = glorot(heads, in_width, self.head_width)
        self.target_weight = None if share_weights else glorot(heads, in_width, self.head_width)
        self.attention = glorot(heads, self.head_width)

    def values_and_scores(self, graph: Graph, x: Tensor) -> tuple[Tensor, Tensor]:
        """W x, and the scores before the softmax."""
        values = self.per_head(x, self.source_weight)
        if self.target_weight is None:
            target = graph.at_destinations(values)
        else:
            target = self.per_head(graph.at_destinations(x), self.target_weight)
        joined = functional.leaky_relu(graph.edge_add(values, target), self.negative_slope)
        return values, (joined * self.attention).sum(-1)
