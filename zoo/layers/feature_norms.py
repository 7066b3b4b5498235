"""Applying feature normalisers inside a block."""

from collections.abc import Iterable

from torch import Tensor, nn

from zoo.contracts import as_input
from zoo.graphs.graph import Graph


def apply_norms(norms: Iterable[nn.Module], graph: Graph, x: Tensor, before: Tensor) -> Tensor:
    """Apply the norms to x, [nodes, width], one after the other.

    before: the block's input at the same nodes, for norms whose class says `reads_input`.
    Raises: ComponentError for a result of another shape or precision than a norm's input.
    """
    for norm in norms:
        y = norm(graph, x, before) if getattr(norm, "reads_input", False) else norm(graph, x)
        x = as_input("normalizer", norm, y, x)
    return x
