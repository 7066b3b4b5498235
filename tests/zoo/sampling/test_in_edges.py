"""In-edges of some nodes, against a search through all edges."""

import torch

from zoo.dgl_backend import dgl
from zoo.graphs import Graph
from zoo.sampling.in_edges import InEdges

SRC = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 2, 4, 0])
DST = torch.tensor([1, 1, 2, 2, 2, 2, 3, 0, 0, 0, 4, 6, 6, 0])
GRAPH = Graph.from_edges(SRC, DST, 8)


def test_every_in_edge_is_found_by_its_id():
    """In the order of the nodes that were asked about, twice if asked twice, none of a node without any."""
    nodes = torch.tensor([2, 7, 0, 2])
    found = InEdges(GRAPH.structure).of(nodes)
    wanted = [(place, edge) for place, node in enumerate(nodes) for edge in (node == DST).nonzero().flatten().tolist()]
    assert sorted(zip(found.place.tolist(), found.edge.tolist(), strict=True)) == sorted(wanted)
    assert torch.equal(SRC[found.edge], found.src) and torch.equal(DST[found.edge], nodes[found.place])
    assert found.place.tolist() == sorted(found.place.tolist())


def test_edges_may_be_left_out():
    """Only those that are kept are found, by the ids that they have in the graph."""
    keep = SRC != DST
    found = InEdges(GRAPH.structure, keep).of(torch.arange(8))
    assert sorted(found.edge.tolist()) == keep.nonzero().flatten().tolist()
    assert torch.equal(SRC[found.edge], found.src)


def test_the_induced_subgraph_is_dgls():
    """The edges among some nodes, with places at both ends."""
    nodes = torch.tensor([4, 0, 3, 6])
    found = InEdges(GRAPH.structure).among(nodes)
    wanted = dgl.node_subgraph(GRAPH.dgl, nodes)
    edges = zip(found.src.tolist(), found.place.tolist(), found.edge.tolist(), strict=True)
    assert sorted(edges) == sorted(
        zip(*(e.tolist() for e in wanted.edges()), wanted.edata[dgl.EID].tolist(), strict=True)
    )


def test_a_blocks_sources_begin_with_its_destinations():
    """All in-edges of some nodes, whose sources are numbered after them, each once."""
    nodes = torch.tensor([6, 0])
    sources, found = InEdges(GRAPH.structure).into(nodes)
    assert sources.tolist() == [6, 0, 2, 3, 4, 5]
    assert torch.equal(sources[found.src], SRC[found.edge]) and torch.equal(nodes[found.place], DST[found.edge])
    assert len(found.edge) == int(torch.isin(DST, nodes).sum())
