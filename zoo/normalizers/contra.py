"""ContraNorm, over all pairs of nodes."""

import torch
from torch import Tensor

from zoo.engine.rescaling import divisor
from zoo.errors import BuildError
from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.normalizers.per_graph import batched
from zoo.recipe.fields import Count, Positive


class ContraNorm(FeatureNormalizer):
    """(1 + s)·X − s·P X with P = softmax over j of cos(x_i, x_j)/τ: subtract a mean weighted by resemblance.

    j runs over the nodes that are neither i nor an in-neighbour of i, as in the authors' code for graphs, whose edges
    go both ways; or over all nodes. In a batch of graphs it stays within i's own. A node without any such j is left as
    it is. A zero row resembles all nodes equally. The authors follow it by a layer normalisation:
    `normalizer: [contra, layer]`. Of its n×n matrices one for each block is kept for the backward pass, and three exist
    at once: at 8192 nodes in float32 0.25 GiB each.

    Options: scale: s, 0.2 to 1 in the authors' experiments on graphs, the larger the deeper; temperature: τ;
    skip_neighbours: leave in-neighbours and the node itself out of the softmax; max_nodes: of a graph, or of a batch.
    Raises: BuildError for more nodes.
    Source: Guo et al., ICLR 2023 (arXiv 2303.06562), in the form of the authors' code for graphs.
    """

    same_in_training = True

    def __init__(
        self,
        width: int,
        *,
        scale: Positive = 1.0,
        temperature: Positive = 1.0,
        skip_neighbours: bool = True,
        max_nodes: Count = 8192,
    ) -> None:
        super().__init__(width)
        self.scale = scale
        self.temperature = temperature
        self.skip_neighbours = skip_neighbours
        self.max_nodes = max_nodes

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the features pushed apart; `x` and the result are [nodes, width]."""
        if len(x) > self.max_nodes:
            matrix = len(x) ** 2 * x.element_size() / 2**30
            raise BuildError(
                f"normalizer.contra — {len(x)} nodes are more than max_nodes: {self.max_nodes}; each n×n matrix would "
                f"take {matrix:.2f} GiB, one for every block and two more at the peak — expected a smaller graph, or a "
                "larger max_nodes where the memory is there — pair and mean spread nodes out in memory linear in n"
            )
        directions = x / divisor(torch.linalg.vector_norm(x, dim=1, keepdim=True))
        scores = directions @ (directions / self.temperature).t()
        if batched(graph):
            scores.masked_fill_(graph.graph_ids[:, None] != graph.graph_ids, -torch.inf)
        if self.skip_neighbours:
            scores = _without_in_neighbours(graph.structure.src, graph.structure.dst, scores)
        return x + self.scale * (x - scores.softmax(dim=1) @ x)


def _without_in_neighbours(src: Tensor, dst: Tensor, scores: Tensor) -> Tensor:
    """−∞ in place of the scores, [nodes, nodes], of the in-neighbours of each node and its own, written into `scores`.

    A node that has no other keeps its own: its softmax then picks the node itself.
    """
    masked = scores.new_full((), -torch.inf)
    nodes = torch.arange(len(scores), device=scores.device)
    # On a sampled block, sources that are no destinations have no column here: the node's own is masked in its place.
    columns = torch.where(src < len(scores), src, dst)
    scores.index_put_((dst.long(), columns.long()), masked).index_put_((nodes, nodes), masked)
    alone = scores.detach().amax(dim=1).isneginf()
    return scores.index_put_((nodes, nodes), torch.where(alone, 0.0, masked))
