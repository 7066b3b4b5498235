"""ShaDow: the subgraph of each training node, against breadth-first search and DGL's induced subgraphs."""

from typing import Any

import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.graphs import Graph
from zoo.sampling.base import Sample
from zoo.sampling.batching import TaskSetting
from zoo.sampling.shadow import ShadowSampler


def nodes_of(sample: Sample) -> Tensor:
    """Which nodes of the whole graph a sample's are."""
    assert sample.nodes is not None
    return sample.nodes


def graph_of(sample: Sample) -> Graph:
    """The sample's one graph."""
    assert isinstance(sample.graph, Graph)
    return sample.graph


def sizes_of(sample: Sample) -> Tensor:
    """The nodes of each subgraph."""
    sizes = graph_of(sample).sizes
    assert sizes is not None
    return sizes


def graph(nodes: int = 40, edges: int = 120) -> Graph:
    """A random directed graph with a loop at every node."""
    src, dst = torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(0))
    every = torch.arange(nodes)
    return Graph.from_edges(torch.cat([src, every]), torch.cat([dst, every]), nodes)


def sampler(whole: Graph, targets: Any, **options: Any) -> ShadowSampler:
    return ShadowSampler(whole, torch.tensor(targets), TaskSetting(), **options)


def test_with_every_neighbour_the_scope_is_the_k_hop_neighbourhood():
    """Two hops of all in-neighbours: DGL's in-subgraph of depth 2 of each target by itself, with all edges among it."""
    whole, targets = graph(), [3, 11, 29]
    (sample,) = sampler(whole, targets, hops=2, fanout=99).epoch(0)
    starts = [0, *sizes_of(sample).cumsum(0).tolist()]
    structure = graph_of(sample).structure
    src, dst = structure.src.long(), structure.dst.long()
    for place, target in enumerate(sample.targets.tolist()):
        wanted, _ = dgl.khop_in_subgraph(whole.dgl, target, k=2)
        nodes = nodes_of(sample)[starts[place] : starts[place + 1]]
        assert nodes.tolist() == sorted(wanted.ndata[dgl.NID].tolist())
        mine = (dst >= starts[place]) & (dst < starts[place + 1])
        ours = sorted(zip(nodes_of(sample)[src[mine]].tolist(), nodes_of(sample)[dst[mine]].tolist(), strict=True))
        inner = dgl.node_subgraph(whole.dgl, nodes)
        assert ours == sorted(zip(*(inner.ndata[dgl.NID][end].tolist() for end in inner.edges()), strict=True))
        assert starts[place] <= int(sample.rows[place]) < starts[place + 1]


def test_no_edge_joins_two_subgraphs():
    """The batch is a disjoint union, whatever nodes the scopes have in common."""
    (sample,) = sampler(graph(), [1, 2, 3, 4], hops=3, fanout=9).epoch(0)
    owner, structure = graph_of(sample).graph_ids, graph_of(sample).structure
    assert torch.equal(owner[structure.src.long()], owner[structure.dst.long()])


def test_scopes_are_bounded_by_fan_out_and_hops():
    """At most 1 + f + f² nodes; and a node's in-neighbours are equally likely, within four standard errors."""
    others = torch.arange(1, 7)
    star = Graph.from_edges(others, torch.zeros_like(others), 7)
    made = sampler(star, [0], hops=1, fanout=2)
    counts, epochs = torch.zeros(7), 400
    for epoch in range(epochs):
        (sample,) = made.epoch(epoch)
        assert len(nodes_of(sample)) == 3
        counts[nodes_of(sample)] += 1
    assert ((counts[1:] - epochs / 3).abs() < 4 * (epochs * 2 / 9) ** 0.5).all()
    for sample in sampler(graph(40, 900), [5, 6], hops=2, fanout=3).epoch(0):
        assert int(sizes_of(sample).max()) <= 1 + 3 + 9


def test_a_target_without_in_edges_is_alone():
    """Its subgraph is the node."""
    lonely = Graph.from_edges(torch.tensor([0]), torch.tensor([1]), 2)
    (sample,) = sampler(lonely, [0], hops=2, fanout=5).epoch(0)
    assert (nodes_of(sample).tolist(), sample.graph.edges, sample.rows.tolist()) == ([0], 0, [0])
