"""SkipNode."""

from typing import Literal

import torch
from torch import Tensor

from zoo.graph_like import GraphLike
from zoo.recipe.fields import Fraction
from zoo.regularizers.base import Regularizer


class SkipNode(Regularizer):
    """In each block of a training pass a share ρ of the nodes keep their input: X_l = P X_{l−1} + (I − P) f_l(X_{l−1}).

    P is a diagonal 0/1 matrix, drawn anew for each block, with ⌊ρn⌋ ones: "uniform" without replacement, "biased" the
    same with probabilities proportional to the degrees, so that hubs, which smooth first, skip most. Blocks that change
    the width, such as the first and last with `ends: conv`, skip nothing.

    Evaluation runs every node through every block, unlike one version of the authors' code. Probes read X_l after the
    mixing; `jacobian` reads the block's own f_l.

    Options: rate: ρ, .9 in the authors' settings for 16 blocks and more; sampling.
    Source: Lu et al., TKDE 2024 (arXiv 2112.11628).
    """

    def __init__(self, *, rate: Fraction = 0.9, sampling: Literal["uniform", "biased"] = "uniform") -> None:
        super().__init__()
        self.rate = rate
        self.sampling: Literal["uniform", "biased"] = sampling

    def mix(self, graph: GraphLike, before: Tensor, after: Tensor) -> Tensor:
        """Return the block's output with the rows of skipped nodes as they went in."""
        return torch.where(self._skipped(graph, before)[:, None], before.to(after.dtype), after)

    def _skipped(self, graph: GraphLike, x: Tensor) -> Tensor:
        nodes = len(x)
        count = int(self.rate * nodes)
        if self.sampling == "uniform":
            chosen = torch.randperm(nodes)[:count].to(x.device)
        else:
            # Waiting times at rates d_i: who comes first is drawn without replacement, in proportion to d. Nodes
            # without neighbours come last.
            waiting = torch.empty(nodes).exponential_().to(x.device) / graph.whole.neighbours
            chosen = waiting.topk(count, largest=False).indices
        return torch.zeros(nodes, dtype=torch.bool, device=x.device).index_fill_(0, chosen, True)
