"""Applying feature normalisers inside a block."""

from collections.abc import Iterable

from torch import Tensor, nn

from zoo.graphs.graph import Graph


def apply_norms(norms: Iterable[nn.Module], graph: Graph, x: Tensor, before: Tensor) -> Tensor:
    """Apply the norms to x, [nodes, width], one after the other.

    before: the block's input at the same nodes, for norms whose class says `reads_input`.
    """
    for norm in norms:
        x = norm(graph, x, before) if getattr(norm, "reads_input", False) else norm(graph, x)
    return x
