"""What the tests of models share: a small graph, its dense propagation matrix, and PyG."""

import importlib
import warnings
from types import ModuleType

import pytest
import torch
from torch import Tensor

from zoo.graphs import Graph

NODES = 8
# A triangle with a tail, a pair apart, and a node alone, each edge both ways; every node has a loop.
PAIRS = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (5, 6)]


@pytest.fixture
def graph() -> Graph:
    """An undirected graph of three components with self-loops."""
    ends = torch.tensor(PAIRS).T
    nodes = torch.arange(NODES)
    return Graph.from_edges(torch.cat([ends[0], ends[1], nodes]), torch.cat([ends[1], ends[0], nodes]), NODES)


@pytest.fixture
def dense(graph: Graph) -> Tensor:
    """Â = D^(−1/2) A D^(−1/2) as a matrix, float64."""
    src, dst = graph.dgl.edges(order="eid")
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency[dst, src] = 1.0
    degree = adjacency.sum(1)
    return adjacency / (degree[:, None] * degree).sqrt()


@pytest.fixture
def edge_index(graph: Graph) -> Tensor:
    """The edges as PyG writes them."""
    return torch.stack(graph.dgl.edges(order="eid"))


@pytest.fixture
def x() -> Tensor:
    """Float64 features, [NODES, 5]."""
    return torch.randn(NODES, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def pyg() -> ModuleType:
    """PyG's layers; what its import warns of concerns PyG alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("torch_geometric.nn")
