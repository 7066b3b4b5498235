"""Graphs that the tests of initialisers share."""

import pytest
import torch

from zoo.graphs import Graph


@pytest.fixture
def graph() -> Graph:
    """A connected random graph of 60 nodes with loops: a cycle with chords."""
    nodes = 60
    upper = torch.rand(nodes, nodes, generator=torch.Generator().manual_seed(0)).triu(1) > 0.95
    upper[torch.arange(nodes), (torch.arange(nodes) + 1) % nodes] = True
    src, dst = (upper | upper.T | torch.eye(nodes, dtype=torch.bool)).nonzero().T
    return Graph.from_edges(src, dst, nodes)


@pytest.fixture
def directed() -> Graph:
    """A directed graph of 6 nodes with loops, a double edge and a node that nobody points to."""
    return Graph.from_edges(
        torch.tensor([0, 1, 2, 3, 4, 5, 0, 0, 1, 2, 3, 3, 5]), torch.tensor([0, 1, 2, 3, 4, 1, 1, 1, 2, 0, 4, 2, 0]), 6
    )
