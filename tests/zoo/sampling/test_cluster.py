"""Cluster batches: induced subgraphs, against DGL's own, and how parts are dealt."""

from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.sampling.base import Sample
from zoo.sampling.batching import TaskSetting
from zoo.sampling.cluster import ClusterSampler


def nodes_of(sample: Sample) -> Tensor:
    """Which nodes of the whole graph a sample's are."""
    assert sample.nodes is not None
    return sample.nodes


def graph_of(sample: Sample) -> Graph:
    """The sample's one graph."""
    assert isinstance(sample.graph, Graph)
    return sample.graph


def cliques(count: int = 6, size: int = 5) -> Graph:
    """Cliques, each joined to the next by one edge in both directions, with loops."""
    edges = [(start + a, start + b) for start in range(0, count * size, size) for a in range(size) for b in range(size)]
    bridges = [(clique * size, ((clique + 1) % count) * size) for clique in range(count)]
    src, dst = torch.tensor([*edges, *bridges, *[(b, a) for a, b in bridges]]).T
    return Graph.from_edges(src, dst, count * size)


def sampler(graph: Graph, targets: Any = None, setting: TaskSetting | None = None, **options: Any) -> ClusterSampler:
    nodes = torch.arange(graph.nodes) if targets is None else torch.tensor(targets)
    return ClusterSampler(graph, nodes, setting or TaskSetting(), **options)


@pytest.mark.parametrize("by", ["metis", "random"])
def test_a_sample_is_the_induced_subgraph(by: Any):
    """As DGL cuts it: every edge among the nodes, by the nodes' numbers, and none else."""
    graph = cliques()
    for sample in sampler(graph, parts=6, batch_parts=2, by=by).epoch(0):
        wanted = dgl.node_subgraph(graph.dgl, nodes_of(sample))
        structure = graph_of(sample).structure
        src, dst = (nodes_of(sample)[end.long()] for end in (structure.src, structure.dst))
        ours = sorted(zip(src.tolist(), dst.tolist(), strict=True))
        ids = wanted.ndata[dgl.NID]
        assert ours == sorted(zip(*(ids[end].tolist() for end in wanted.edges()), strict=True))


def test_metis_finds_the_cliques():
    """Parts with few edges between them are those that the graph was made of."""
    parts = {tuple(sorted(part.tolist())) for part in sampler(cliques(), parts=6, batch_parts=1).parts}
    assert parts == {tuple(range(start, start + 5)) for start in range(0, 30, 5)}


def test_parts_are_dealt_anew_and_evenly():
    """Seven parts, three at a time: groups of 3, 2 and 2, other ones in the next epoch."""
    made = sampler(cliques(7), parts=7, batch_parts=3)
    sizes = [sorted(sample.graph.nodes for sample in made.epoch(epoch)) for epoch in range(2)]
    assert made.steps == 3 and sizes == [[10, 10, 15]] * 2 and made.nodes_per_step == 11
    groups = [{frozenset(nodes_of(sample).tolist()) for sample in made.epoch(epoch)} for epoch in range(2)]
    assert groups[0] != groups[1]


def test_parts_without_training_nodes_are_left_out():
    """Two cliques have targets: two parts are dealt."""
    made = sampler(cliques(), [3, 4, 17], parts=6, batch_parts=1)
    assert made.steps == 2
    assert sorted(sample.targets.tolist() for sample in made.epoch(0)) == [[3, 4], [17]]


@pytest.mark.parametrize(
    ("options", "targets", "processes", "message"),
    [
        ({"parts": 31}, None, 1, "31 of 30 nodes — expected no more than there are nodes"),
        ({"parts": 6, "batch_parts": 2}, None, 3, "6 parts with training nodes, dealt 2 at a time, leave some of 3"),
    ],
)
def test_too_many_or_too_few_parts_are_refused(options: Any, targets: Any, processes: int, message: str):
    """More parts than nodes, or a process that would have none."""
    with pytest.raises(BuildError, match=message):
        sampler(cliques(), targets, TaskSetting(processes=processes), **options)
