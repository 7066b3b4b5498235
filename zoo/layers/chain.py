"""Blocks that run as one operator, a few at a time."""

from collections.abc import Sequence
from itertools import islice

from torch import Tensor, nn
from torch.nn.modules import module as of_torch

from zoo.engine.chain import Link, affine_chain
from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.layers.block import Block

# Blocks in an operator. What PyTorch does for each operator is then spread thin, and gradients still come by and by,
# which lets memory go and processes exchange them.
_LONGEST = 16


def chained(blocks: Sequence[nn.Module], graph: Graph | BlockGraphs, x: Tensor) -> tuple[Tensor, int]:
    """Run the first blocks as one operator; return their output, and how many they are: 0 where that cannot be.

    x: [nodes, width]. Blocks that are not of the plainest kinds end a chain (see `Block.link`), and so does a block
    that somebody listens to, as probes do. The output is what they give one after the other, to the bit.
    """
    if isinstance(graph, BlockGraphs) or _listens_to_all():
        return x, 0
    links: list[Link] = []
    for block in islice(blocks, _LONGEST):
        link = block.link() if type(block) is Block else None
        if link is None:
            break
        links.append(link)
    y = affine_chain(graph, x, links) if len(links) > 1 else None
    return (x, 0) if y is None else (y, len(links))


def _listens_to_all() -> bool:
    """Whether somebody listens to every module there is."""
    hooks = (
        of_torch._global_forward_hooks,
        of_torch._global_forward_pre_hooks,
        of_torch._global_backward_hooks,
        of_torch._global_backward_pre_hooks,
    )
    return any(hooks)
