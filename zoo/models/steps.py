"""The blocks of networks that propagate apart from transforming."""

from collections.abc import Callable, Sequence

from torch import nn

from zoo.layers.block import Block
from zoo.layers.propagation import Propagation
from zoo.layers.residual import Residual


def steps(
    depth: int, width: int, feature_norms: Sequence[Callable[[int], nn.Module]], residual: Callable[[], Residual]
) -> list[Block]:
    """`depth` blocks of one propagation each, without weights, with a residual and then the norms; width to width."""
    return [
        Block(
            Propagation(width),
            residual=residual(),
            norms=[norm(width) for norm in feature_norms],
            norm_position="post",
        )
        for _ in range(depth)
    ]
