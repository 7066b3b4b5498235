"""Normalisers of each node by itself: NodeNorm and MessageNorm."""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.engine.rescaling import divisor
from zoo.errors import BuildError
from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.recipe.fields import Positive


class NodeNorm(FeatureNormalizer):
    """Bring the variance of the features of a node under control, each node i on its own.

    With μ_i the mean and σ_i = sqrt(var(x_i) + eps) the standard deviation of node i over its channels:
    n: (x_i − μ_i)/σ_i. v: x_i/σ_i. m: x_i − μ_i. srv: x_i/√σ_i. pr: x_i/σ_i^(1/p).

    The variance is the biased one, as in the authors' code; n is then layer normalisation without its γ and β. No
    Lipschitz constant is bounded: σ_i may be small.

    Options: variant: one of these; p: the root that pr takes, 2 if not given (which makes it srv); eps: added to the
    variance.
    Raises: BuildError for a p that the variant does not read.
    Source: Zhou et al., CIKM 2021 (arXiv 2006.07107); pr and eps from the authors' code.
    """

    same_in_training = True
    per_node = True

    def __init__(
        self,
        width: int,
        *,
        variant: Literal["n", "v", "m", "srv", "pr"] = "n",
        p: Positive | None = None,
        eps: Positive = 1e-5,
    ) -> None:
        super().__init__(width)
        if p is not None and variant != "pr":
            raise BuildError(
                f"normalizer.node.p — variant {variant} takes no root — expected p with variant pr alone — variant: pr"
            )
        self.variant = variant
        self.power = {"srv": 0.5, "pr": 1 / (p or 2.0)}.get(variant, 1.0)
        self.eps = eps

    def forward(self, graph: GraphLike, x: Tensor) -> Tensor:
        """Return the normalised features; `x` and the result are [nodes, width]."""
        mean = x.mean(dim=1, keepdim=True)
        if self.variant == "m":
            return x - mean
        variance = (x - mean).square().mean(dim=1, keepdim=True)
        scaled = x - mean if self.variant == "n" else x
        return scaled / (variance + self.eps).pow(self.power / 2)


class MessageNorm(FeatureNormalizer):
    """s·‖x_i‖·m_i/‖m_i‖: the message m_i of each node, given s times the length of the node's own features x_i.

    m is what the normaliser is called on, the convolution's output for `norm_position: inner`; x is the block's input,
    of any width. With `norm_position: pre` there is no message yet: m is then x itself after dropout.

    A message of zero stays zero, with the gradient s·‖x_i‖ times what comes in. Bounds no Lipschitz constant: ‖m_i‖ may
    be small.

    Options: scale: s, or where it starts; learn_scale: learn s, off in the authors' code.
    Raises: BuildError where it is called without the block's input.
    Source: Li et al. 2020 (arXiv 2006.07739, DeeperGCN), whose update adds x_i to the result: `residual: add`.
    """

    same_in_training = True
    per_node = True
    reads_input = True
    scale: Tensor

    def __init__(self, width: int, *, scale: Positive = 1.0, learn_scale: bool = False) -> None:
        super().__init__(width)
        s = torch.tensor(float(scale))
        if learn_scale:
            self.scale = nn.Parameter(s)
        else:
            self.register_buffer("scale", s)

    def forward(self, graph: GraphLike, x: Tensor, before: Tensor | None = None) -> Tensor:
        """Return the rescaled messages x, [nodes, width]; before: the block's input at the same nodes."""
        if before is None:
            raise BuildError(
                "normalizer.message — got the message alone — expected the block's input beside it, as blocks of the "
                "zoo hand it over — norm(graph, x, before)"
            )
        length, own = (torch.linalg.vector_norm(rows, dim=-1, keepdim=True) for rows in (before, x))
        # `divisor` and not an epsilon: 1/ε would multiply the gradient of every node that hears nothing.
        return self.scale * length * (x / divisor(own))
