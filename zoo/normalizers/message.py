"""MessageNorm: what a node hears, at the loudness of what it has."""

import torch
from torch import Tensor, nn

from zoo.errors import BuildError
from zoo.graph_like import GraphLike
from zoo.normalizers.base import FeatureNormalizer
from zoo.normalizers.norms import divisor
from zoo.recipe.fields import Positive


class MessageNorm(FeatureNormalizer):
    """s·‖x_i‖·m_i/‖m_i‖: the message m_i of each node, given s times the length of the node's own features x_i.

    m is what the normaliser is called on, the convolution's output for `norm_position: inner`; x is the block's input.
    Only the length of x_i is read, so that its width need not be that of m (it is not at the first block of a network
    with `ends: conv`, where x are the raw features). With `norm_position: pre` there is no message yet: m is then x
    itself after dropout, and without dropout s·x_i is all that comes out.

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
        """Return the rescaled messages; `x`, the messages, and the result are [nodes, width].

        before: the block's input at the same nodes, of any width.
        """
        if before is None:
            raise BuildError(
                "normalizer.message — got the message alone — expected the block's input beside it, as blocks of the "
                "zoo hand it over — norm(graph, x, before)"
            )
        length, own = (torch.linalg.vector_norm(rows, dim=-1, keepdim=True) for rows in (before, x))
        # `divisor` and not an epsilon: 1/ε would multiply the gradient of every node that hears nothing.
        return self.scale * length * (x / divisor(own))
