"""What the tests of regularisers share: a small graph with loops, features, and dense propagation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from zoo.graphs import Graph

NODES = 30


@pytest.fixture
def graph() -> Graph:
    """A random undirected graph of 30 nodes, one of them isolated, with a loop at each."""
    upper = torch.rand(NODES, NODES, generator=torch.Generator().manual_seed(0)).triu(1) > 0.85
    upper[:, 7] = upper[7] = False
    src, dst = (upper | upper.T | torch.eye(NODES, dtype=torch.bool)).nonzero().T
    return Graph.from_edges(src, dst, NODES)


@pytest.fixture
def x() -> Tensor:
    """Float64 features, [30, 5]."""
    return torch.randn(NODES, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def dense() -> Callable[[Graph], Tensor]:
    """The matrix D⁻^(-1/2) A D⁺^(-1/2) of a graph's edges, written out."""

    def make(graph: Graph) -> Tensor:
        a = torch.zeros(graph.nodes, graph.nodes, dtype=torch.float64)
        for u, v in zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True):
            a[v, u] += 1
        return a / (a.sum(1).clamp(min=1)[:, None] * a.sum(0).clamp(min=1)[None]).sqrt()

    return make
