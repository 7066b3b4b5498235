"""Edges in DGL's form and as index arrays, each made of the other."""

import subprocess
import sys

import pytest
import torch

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.topology import Topology

SRC, DST = torch.tensor([3, 0, 0, 2, 3]), torch.tensor([1, 1, 1, 0, 0])


@pytest.mark.parametrize("is_block", [False, True])
def test_what_is_made_of_edges_has_these_in_their_order(is_block):
    """As arrays and as a DGLGraph with 64-bit ids, repeated edges among them, and so has an edge subgraph."""
    made = Topology.of_edges(SRC, DST, 4, 2 if is_block else 4, is_block=is_block)
    keep = torch.tensor([True, False, True, True, False])
    for topology, kept in ((made, slice(None)), (made.edge_subgraph(keep), keep)):
        assert topology.edges == len(SRC[kept]) and topology.dgl.is_block == is_block
        for ends in (topology.dgl.edges(order="eid"), (topology.structure.src, topology.structure.dst)):
            assert [end.tolist() for end in ends] == [SRC[kept].tolist(), DST[kept].tolist()]
        assert topology.dgl.idtype == torch.int64
        assert (topology.dgl.num_src_nodes(), topology.dgl.num_dst_nodes()) == (4, topology.nodes)


def test_what_is_made_of_a_graph_of_dgl_has_its_arrays():
    """Those that the same edges give, and the graph itself is handed out with its data."""
    theirs = dgl.graph((SRC, DST), num_nodes=4)
    theirs.ndata["mark"] = torch.arange(4)
    ours, same = Topology.of_graph(theirs), Topology.of_edges(SRC, DST, 4, 4)
    for one, other in (
        (ours.structure.incoming, same.structure.incoming),
        (ours.structure.outgoing, same.structure.outgoing),
    ):
        assert torch.equal(one.columns, other.columns) and torch.equal(one.edges, other.edges)
    assert ours.dgl.ndata["mark"].tolist() == [0, 1, 2, 3]
    assert ours.to(torch.device("cpu")).dgl.ndata["mark"].tolist() == [0, 1, 2, 3]


def test_loops_are_counted():
    """Of each node; a block's destinations are its first sources."""
    src, dst = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 1, 1])
    assert Topology.of_edges(src, dst, 3, 3).loops.tolist() == [1, 2, 0]
    assert Topology.of_edges(src, dst, 3, 2, is_block=True).loops.tolist() == [1, 2]


def test_several_edge_types_are_refused():
    """With the way to one of them."""
    with pytest.raises(BuildError, match=r"expected one of each — dgl\.to_homogeneous"):
        Topology.of_graph(dgl.heterograph({("user", "buys", "item"): ([0], [1])}))


def test_a_graph_of_edges_does_without_dgl():
    """Compiled loops, edge subgraphs and samples run without it, which takes seconds to import."""
    code = (
        "import sys, torch, zoo\n"
        "from zoo.graphs import Graph\n"
        "from zoo.graphs.block_graphs import sampled_block\n"
        "ends = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])\n"
        "graph = Graph.from_edges(*ends, 3)\n"
        "graph.edge_subgraph(torch.tensor([True, False, True])).propagate(torch.ones(3, 2))\n"
        "sampled_block(graph, torch.arange(3), 2, ends[0][:1], ends[1][:1]).within.propagate(torch.ones(2, 2))\n"
        "assert graph.kernel == 'compiled' and 'dgl' not in sys.modules\n"
        "assert graph.dgl.num_edges() == 3 and 'dgl' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
