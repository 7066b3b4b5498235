"""What the tests of probes share: awkward graphs, and networks whose block outputs and gradients autograd has kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip
from zoo.probes.base import Probe
from zoo.probes.reading import Reading
from zoo.probes.snapshot import snapshot

NODES, WIDTH, CLASSES, DEPTH = 12, 5, 3, 4
TRIANGLE_AND_TAIL = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)]
PATH, CYCLE = [(5, 6), (6, 7)], [(8, 9), (9, 10), (10, 8)]
JOINED = [*TRIANGLE_AND_TAIL, *PATH, *CYCLE, (4, 5), (7, 8), (10, 11)]
EVERY = [(node, node) for node in range(NODES)]

# Undirected edges of twelve nodes; the path is bipartite, and node 11 is isolated where nothing joins it.
GRAPHS: dict[str, list[tuple[int, int]]] = {
    "connected-loops": [*JOINED, *EVERY],
    "components-loops": [*TRIANGLE_AND_TAIL, *PATH, *CYCLE, *EVERY],
    "components-isolated": [*TRIANGLE_AND_TAIL, *PATH, *CYCLE],
    "bipartite": [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), *PATH],
    "doubled": [*TRIANGLE_AND_TAIL, *CYCLE, (0, 1), (8, 9), (4, 4)],
}


@dataclass(frozen=True)
class Case:
    """A network in float64 on a graph, and from autograd alone: outputs X_l, gradients G_l, the error at the output."""

    graph: Graph
    network: Network
    features: Tensor
    loss: Callable[[], Tensor]
    outputs: list[Tensor]
    gradients: list[Tensor]
    error: Tensor

    def read(self, *probes: Probe) -> Reading:
        """What the probes say."""
        return snapshot(self.network, probes, self.loss)

    def of(self, side: str) -> list[np.ndarray]:
        """The matrices that a probe `of` gradients or representations sees."""
        return [matrix.detach().numpy() for matrix in (self.gradients if side == "gradients" else self.outputs)]

    @property
    def adjacency(self) -> np.ndarray:
        """Dense counts of edges."""
        return dense(self.graph)


def dense(graph: Graph) -> np.ndarray:
    """Counts of edges u → v at [v, u], one by one."""
    counts = np.zeros((graph.nodes, graph.nodes))
    for u, v in zip(*(ends.tolist() for ends in graph.dgl.edges(order="eid")), strict=True):
        counts[v, u] += 1
    return counts


def undirected(edges: Sequence[tuple[int, int]], nodes: int = NODES) -> Graph:
    """Both directions of each edge; loops once."""
    both = [*edges, *((v, u) for u, v in edges if u != v)]
    src, dst = (torch.tensor(ends, dtype=torch.int64) for ends in zip(*both, strict=True))
    return Graph.from_edges(src, dst, nodes)


@pytest.fixture
def make_graph() -> Callable[[str], Graph]:
    """A graph by its name in GRAPHS."""
    return lambda name: undirected(GRAPHS[name])


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """A network of residual blocks around `conv()` on a named graph."""

    def make(name: str, conv: Callable[[], nn.Module], blocks: Sequence[nn.Module] | None = None) -> Case:
        torch.manual_seed(0)
        graph = undirected(GRAPHS[name])
        blocks = blocks or [Block(conv(), residual=AddSkip(), activation=nn.Tanh()) for _ in range(DEPTH)]
        network = Network(nn.Linear(4, WIDTH), blocks, nn.Linear(WIDTH, CLASSES)).double()
        with torch.no_grad():
            for parameter in network.parameters():  # biases are zero at first, and hide mistakes
                parameter.add_(0.3 * torch.randn_like(parameter))
        features = torch.randn(NODES, 4, dtype=torch.float64)
        labels = torch.arange(NODES) % CLASSES

        x = first = network.encoder(features)
        outputs: list[Tensor] = []
        for block in network.blocks:
            x = block(graph, x, first)
            outputs.append(x)
        logits = network.head(x)
        value = F.cross_entropy(logits[:9], labels[:9])
        *gradients, error = torch.autograd.grad(value, [*outputs, logits])

        def loss() -> Tensor:
            return F.cross_entropy(network(graph, features)[:9], labels[:9])

        return Case(graph, network, features, loss, outputs, gradients, error)

    return make


@pytest.fixture(params=list(GRAPHS))
def graph_name(request: Any) -> str:
    """Each graph in turn."""
    return request.param
