"""Graph attention of Veličković et al. (ICLR 2018), and the dynamic form of Brody et al. (ICLR 2022)."""

from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from zoo.engine.attention import Attention, DynamicScores, Scores, StaticScores, per_head
from zoo.engine.kernel import KernelGraph
from zoo.engine.rescaling import divisor
from zoo.graphs.graph import Graph
from zoo.layers.conv import FusedConv, head_width
from zoo.layers.linear import glorot, zeros
from zoo.recipe.fields import Few, Probability

Merge = Literal["concat", "mean"]
# Each class declares it for itself: see `zoo.training.declared`.
_DROPS_NOTHING = property(lambda conv: not conv.attention_dropout, doc="True if no attention is dropped.")


class AttentionConv(FusedConv):
    """An attention convolution, whose heads are out_width/heads wide for merge="concat" and out_width for "mean"."""

    propagation = "right"  # attention at equal weights is a mean
    self_loops = "add"

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
    def operands(self) -> Attention:
        """Return the matrices, how edges are scored, and what becomes of the heads; dropout while training only."""

    def values_and_scores(self, graph: Graph, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return per head the features to average, [sources, heads, d], and the scores of the edges, [edges, heads]."""
        made = self.operands()
        values = per_head(x, made.weight)
        return values, made.scores.of(graph, x, made.weight, values, made.first, made.second)

    def _attention(self, scores: Scores, weight: Tensor, first: Tensor, second: Tensor | None) -> Attention:
        dropout = self.attention_dropout if self.training else 0.0
        return Attention(scores, weight, first, second, dropout, self.merge == "mean", self.bias)


class GATConv(AttentionConv):
    """Graph attention (Veličković et al., ICLR 2018, eq. 3–6).

    softmax_j(LeakyReLU(a_sᵀ W x_j + a_tᵀ W x_i)) weighs W x_j.

    heads: number of heads. merge: "concat" or "mean" of the heads. negative_slope: of the LeakyReLU.
    attention_dropout: of the weights after the softmax. attention_norm: "none", or "lipschitz" for LipschitzNorm.

    LipschitzNorm (Dasoulas, Scaman & Virmaux, ICML 2021, arXiv 2103.04886) divides each score of a head, before the
    LeakyReLU, by 4·‖[a_s, a_t]‖·sqrt(max_k ‖W x_k‖² + ‖W x_i‖²), k running over the in-neighbours of the destination i.
    By the Cauchy-Schwarz inequality no score then exceeds 1/4 in size (with a slope in ±1), so that at a node of d
    in-edges all weights lie between e^(−1/2)/d and e^(1/2)/d, and scores do not change with the scale of x, of W or of
    [a_s, a_t]. It does not bound ‖W‖. The authors' code names this form in its comments, and computes another: ‖W x_j‖
    in place of ‖W x_i‖, and for several heads the maximum of rows of other nodes and heads.
    """

    recordable = True

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        heads: Few = 1,
        negative_slope: float = 0.2,
        attention_dropout: Probability = 0.0,
        merge: Merge = "concat",
        bias: bool = True,
        attention_norm: Literal["none", "lipschitz"] = "none",
    ) -> None:
        super().__init__(in_width, out_width, heads, negative_slope, attention_dropout, merge, bias)
        self.attention_norm: Literal["none", "lipschitz"] = attention_norm
        self.weight = glorot(heads, in_width, self.head_width)
        self.source_attention = glorot(heads, self.head_width)
        self.target_attention = glorot(heads, self.head_width)

    same_in_training = _DROPS_NOTHING

    def operands(self) -> Attention:
        """Return those with a_s and a_t for the two vectors."""
        kind = LipschitzScores if self.attention_norm == "lipschitz" else StaticScores
        return self._attention(kind(self.negative_slope), self.weight, self.source_attention, self.target_attention)


class LipschitzScores(StaticScores):
    """`StaticScores` with LipschitzNorm, see `GATConv`."""

    def of(
        self, graph: KernelGraph, x: Tensor, weight: Tensor, values: Tensor, first: Tensor, second: Tensor | None
    ) -> Tensor:
        """Return the scores."""
        assert second is not None, "static attention has two vectors"
        sums = self.sums(graph, x, weight, first, second) * _lipschitz_factors(graph, values, first, second)
        return functional.leaky_relu(sums, self.slope)


class GATv2Conv(AttentionConv):
    """Dynamic graph attention (Brody et al., ICLR 2022, eq. 7).

    softmax_j(aᵀ LeakyReLU(W_s x_j + W_t x_i)) weighs W_s x_j. The one bias is added at the end.

    Options as for GATConv; share_weights makes W_t = W_s.
    """

    recordable = True

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        heads: Few = 1,
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

    same_in_training = _DROPS_NOTHING

    def operands(self) -> Attention:
        """Return those with a for the vector and W_t for the second matrix."""
        scores = DynamicScores(self.negative_slope)
        return self._attention(scores, self.source_weight, self.attention, self.target_weight)


def _lipschitz_factors(graph: KernelGraph, values: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Per edge and head 1/(4·‖[a_s, a_t]‖·sqrt(max_k ‖W x_k‖² + ‖W x_i‖²)), i the edge's destination."""
    squares = values.to(torch.promote_types(values.dtype, torch.float32)).square().sum(-1)
    squares = _largest_of_in_neighbours(graph, squares) + graph.at_destinations(squares)
    attention = torch.cat([source, target], dim=-1)
    # 1 in place of 0, before the root: what is divided is 0 there too, and stays so, with a finite gradient.
    factors = (divisor(squares).sqrt() * (4 * divisor(torch.linalg.vector_norm(attention, dim=-1)))).reciprocal()
    return graph.edge_add(factors.new_zeros(graph.sources, factors.shape[1]), factors)


def _largest_of_in_neighbours(graph: KernelGraph, x: Tensor) -> Tensor:
    """The largest of x [sources, heads] among the in-neighbours of each node, 0 without any: [nodes, heads].

    Where several are the largest, each receives an equal share of the gradient.
    """
    structure = graph.structure
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        along = x.index_select(0, structure.src)
        largest = (along == structure.incoming.edge_max(along).index_select(0, structure.dst)).to(x.dtype)
        shares = largest / structure.incoming.edge_sum(largest).index_select(0, structure.dst)
    return graph.attend(x[..., None], shares)[..., 0]
