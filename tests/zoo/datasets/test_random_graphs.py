"""Random graphs: exactly as many edges, families that differ, triangles by NetworkX."""

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from zoo.datasets import splits
from zoo.datasets.base import GraphData
from zoo.datasets.random_graphs import _FAMILIES, _edges, _uniform, random_graphs
from zoo.datasets.store import Store
from zoo.datasets.validity import check
from zoo.errors import BuildError


def make(**options) -> GraphData:
    """Random graphs; the store has nothing in it."""
    return random_graphs(Store(folders=[], offline=True), **options)


def apart(data: GraphData) -> list[nx.DiGraph]:
    """Each graph by itself, in NetworkX."""
    owner = torch.repeat_interleave(torch.arange(len(data.sizes)), data.sizes)
    graphs = []
    for number in range(len(data.sizes)):
        graph = nx.DiGraph()
        graph.add_nodes_from((owner == number).nonzero().flatten().tolist())
        inside = owner[data.src] == number
        graph.add_edges_from(zip(data.src[inside].tolist(), data.dst[inside].tolist(), strict=True))
        graphs.append(graph)
    return graphs


def triangles(graph: nx.DiGraph) -> int:
    """How many there are, by NetworkX, which counts each at its three nodes."""
    counts: Any = nx.triangles(graph.to_undirected())
    return sum(counts.values()) // 3


@pytest.mark.parametrize("target", ["family", "triangles"])
@pytest.mark.parametrize(("nodes", "degree"), [(20, 4.0), (9, 3.3), (4, 1.0)])
def test_every_graph_has_exactly_its_edges(nodes, degree, target):
    """round(n · degree / 2) edges, both ways, without loops or repetitions, within the graph; the data are right."""
    data = make(graphs=40, nodes=nodes, degree=degree, target=target)
    check(data)
    for graph, n in zip(apart(data), data.sizes.tolist(), strict=True):
        assert graph.number_of_nodes() == n and nodes - nodes // 4 <= n <= nodes + nodes // 4
        assert graph.number_of_edges() == 2 * round(n * degree / 2)
        assert all(u != v and graph.has_edge(v, u) for u, v in graph.edges)
    assert sum(graph.number_of_edges() for graph in apart(data)) == len(data.src) == len(data.dst)


def test_triangles_are_counted():
    """Against NetworkX, as floats [graphs, 1] to be predicted."""
    data = make(graphs=30, target="triangles")
    wanted = [triangles(graph) for graph in apart(data)]
    assert data.labels.tolist() == [[float(count)] for count in wanted]
    assert (data.problem, data.metric, data.classes, data.labels.dtype) == ("values", "rmse", 1, torch.float32)


def test_families_differ_in_what_they_are_named_for():
    """Rings have more triangles and hubs a larger highest degree than even graphs of the same sizes."""
    data = make(graphs=300)
    assert data.labels.bincount().tolist() == [100] * 3
    graphs = apart(data)
    counts = np.array([triangles(graph) for graph in graphs]).reshape(-1, 3).mean(axis=0)
    highest = np.array([max(degree for _, degree in graph.in_degree) for graph in graphs]).reshape(-1, 3).mean(axis=0)
    assert counts[1] > 1.5 * counts[0]
    assert highest[2] > 1.3 * highest[0] > 1.3 * highest[1] * 0.9


def test_pairs_are_drawn_by_their_weights():
    """The first edge is a pair with probability in proportion to its weight: within five deviations, over 20,000."""
    stream, draws, n = np.random.PCG64(3), 20_000, 5
    i, j = np.triu_indices(n, k=1)
    for weights in _FAMILIES.values():
        wanted = weights(i, j, n) / weights(i, j, n).sum()
        counts = np.zeros((n, n))
        for _ in range(draws):
            low, high = _edges(stream, n, 1, weights)
            counts[low, high] += 1
        deviation = np.sqrt(draws * wanted * (1 - wanted))
        assert (np.abs(counts[i, j] - draws * wanted) <= 5 * deviation).all()


def test_the_numbers_are_those_of_a_fixed_stream():
    """A seed gives the same graphs again, another seed others; the raw stream is turned into [0, 1) as written."""
    one, again, other = make(seed=1), make(seed=1), make(seed=2)
    assert torch.equal(one.src, again.src) and not torch.equal(one.sizes, other.sizes)
    drawn = _uniform(np.random.PCG64(0), 3)
    assert drawn == pytest.approx(np.random.Generator(np.random.PCG64(0)).random(3), abs=0)


def test_a_split_of_the_same_seed_is_independent_of_the_sizes():
    """Graphs and splits of one seed do not read one stream: the parts hold graphs of like sizes."""
    for seed in range(5):
        data = make(graphs=600, seed=seed)
        split = splits.random(data, seed)
        means = [float(data.sizes[part].double().mean()) for part in (split.train, split.val, split.test)]
        assert max(means) - min(means) < 1.5


def test_more_edges_than_pairs_are_refused():
    """The error says how many there could be."""
    with pytest.raises(BuildError, match=r"12 edges in a graph of 4 nodes — expected at most 6.*degree: 3"):
        make(nodes=5, degree=6.0)
