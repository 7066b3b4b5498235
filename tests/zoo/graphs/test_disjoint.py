"""Batches cut from many graphs, against dgl.batch and NetworkX."""

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.disjoint import DisjointGraphs

# Six graphs: one without edges, one without nodes, one of a single node with a loop, one with a triple edge.
SIZES = [3, 2, 0, 1, 4, 2]
EDGES = [[(0, 1), (1, 2), (2, 0)], [], [], [(0, 0)], [(0, 1), (0, 1), (0, 1), (3, 2)], [(1, 0)]]


def whole(order: list[int] | None = None) -> DisjointGraphs:
    """All graphs as arrays, the edges in any order; each edge's feature is (its graph, its place there)."""
    start = [sum(SIZES[:k]) for k in range(len(SIZES))]
    rows = [(start[k] + u, start[k] + v, k, e) for k, edges in enumerate(EDGES) for e, (u, v) in enumerate(edges)]
    table = torch.tensor(rows)[order] if order else torch.tensor(rows)
    return DisjointGraphs(table[:, 0], table[:, 1], torch.tensor(SIZES), table[:, 2:])


@given(st.lists(st.integers(0, 5), max_size=9))
def test_a_batch_is_what_dgl_makes_of_the_graphs(ids):
    """Any graphs in any order, repeated ones too: the edges, the sizes and the edges' features, in DGL's order."""
    graph, nodes = whole().batch(torch.tensor(ids, dtype=torch.int64))
    start = [sum(SIZES[:k]) for k in range(len(SIZES))]
    assert nodes.tolist() == [start[k] + v for k in ids for v in range(SIZES[k])]
    assert graph.sizes is not None and graph.sizes.tolist() == [SIZES[k] for k in ids]
    assert graph.edge_features is not None
    assert graph.edge_features.tolist() == [[k, e] for k in ids for e in range(len(EDGES[k]))]
    if ids:
        ends = [torch.tensor(EDGES[k], dtype=torch.int64).reshape(-1, 2).unbind(1) for k in ids]
        oracle = dgl.batch([dgl.graph(pair, num_nodes=SIZES[k]) for k, pair in zip(ids, ends, strict=True)])
        src, dst = oracle.edges(order="eid")
        assert torch.equal(graph.structure.src.long(), src) and torch.equal(graph.structure.dst.long(), dst)
        assert graph.nodes == oracle.num_nodes() and graph.edges == oracle.num_edges()


def test_the_order_of_edges_does_not_matter():
    """Edges shuffled over graphs, as loops at the end are, come back to their graphs, each with its features."""
    straight, _ = whole().batch(torch.tensor([4, 0, 3]))
    shuffled, _ = whole([8, 0, 4, 7, 3, 6, 1, 5, 2]).batch(torch.tensor([4, 0, 3]))

    def rows(graph):
        return sorted(
            zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), graph.edge_features.tolist(), strict=True)
        )

    assert rows(straight) == rows(shuffled)


def test_no_edge_joins_two_graphs():
    """The batch's components, by NetworkX, lie within its graphs."""
    graph, _ = whole().batch(torch.tensor([5, 4, 0, 1]))
    union = nx.Graph(list(zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True)))
    owner = graph.graph_ids.tolist()
    assert all(len({owner[node] for node in component}) == 1 for component in nx.connected_components(union))


@pytest.mark.parametrize("kernel", ["dgl", "torch"])
def test_the_kernel_is_handed_on(kernel):
    """The batch propagates with the kernel that was asked for."""
    assert whole().batch(torch.tensor([0]), kernel)[0].kernel == kernel


def test_edges_between_graphs_are_refused():
    """The error names the edge and both graphs; nodes that are not there are named too."""
    with pytest.raises(BuildError, match="edge 1 joins node 1 of graph 0 with node 2 of graph 1 — expected edges"):
        DisjointGraphs(torch.tensor([0, 1]), torch.tensor([1, 2]), torch.tensor([2, 2]))
    for bad in (-1, 4):
        with pytest.raises(BuildError, match=r"expected 0 … 3 \(4 nodes\)"):
            DisjointGraphs(torch.tensor([0]), torch.tensor([bad]), torch.tensor([2, 2]))


def test_graphs_without_any_edge():
    """They make batches without edges."""
    none = torch.zeros(0, dtype=torch.int64)
    graphs = DisjointGraphs(none, none, torch.tensor([2, 3]))
    graph, nodes = graphs.batch(torch.tensor([1, 0]))
    assert (len(graphs), graph.edges, nodes.tolist()) == (2, 0, [2, 3, 4, 0, 1])
