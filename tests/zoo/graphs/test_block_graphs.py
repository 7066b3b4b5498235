"""Sampled blocks, the graphs of a network's blocks, and the check of what a network is given."""

import re
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.graphs.block_graphs import BlockGraphs, sampled_block
from zoo.layers.block import Block
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.linear import MLPConv
from zoo.layers.residual import AddSkip
from zoo.layers.sage import SAGEConv

NODES = 10


def whole(loops: bool = True, nodes: int = 30, edges: int = 200) -> Graph:
    """A random directed graph with repeated edges, and a loop at every node or at none."""
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(nodes, (2, edges), generator=generator)
    src, dst = src[src != dst], dst[src != dst]
    every = torch.arange(nodes) if loops else torch.arange(0)
    return Graph.from_edges(torch.cat([src, every]), torch.cat([dst, every]), nodes)


def test_within_a_block_are_the_edges_among_its_destinations():
    """Probes of edges see those whose two ends have a row; a whole graph is its own."""
    graph = whole()
    block = sampled_block(graph, torch.arange(5), 3, torch.tensor([0, 1, 4, 2]), torch.tensor([1, 1, 2, 0]))
    inner = block.within
    assert (inner.nodes, inner.sources) == (3, 3)
    assert inner.structure.src.tolist() == [0, 1, 2] and inner.structure.dst.tolist() == [1, 1, 0]
    assert torch.equal(inner.in_degrees, graph.in_degrees[:3]) and graph.within is graph


def test_edge_features_come_along():
    """A block carries the rows of the edges that it was made of."""
    src, dst = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
    graph = Graph.from_edges(src, dst, 3, edge_features=torch.tensor([[1.0], [2.0], [3.0]]))
    block = sampled_block(graph, torch.tensor([0, 2]), 1, torch.tensor([1]), torch.tensor([0]), torch.tensor([2]))
    assert block.edge_features is not None and block.edge_features.tolist() == [[3.0]]


def blocks(*sizes: int) -> list[Graph]:
    """DGL blocks of an edge each, from sizes[0] over sizes[1] … nodes."""
    edge = torch.tensor([0]), torch.tensor([0])
    return [Graph(dgl.create_block(edge, one, other)) for one, other in pairwise(sizes)]


def test_a_flow_hands_out_its_blocks():
    """Each block by its number; rows that the output has are the first ones of any matrix."""
    flow = BlockGraphs(blocks(5, 4, 2))
    assert (flow.sources, flow.nodes, flow.edges, str(flow.device)) == (5, 2, 2, "cpu")
    assert [flow.at_block(index, 2).nodes for index in (0, 1)] == [4, 2]
    assert flow.at_destinations(torch.arange(5)).tolist() == [0, 1]
    assert flow.each(lambda block: block.edge_subgraph(torch.tensor([False]))).edges == 0
    assert flow.to("meta").device.type == "meta"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockGraphs([*blocks(5, 4), *blocks(3, 2)]), "block 1 gives 4 nodes and block 2 takes 3"),
        (lambda: BlockGraphs([]), "there are none"),
        (lambda: BlockGraphs(blocks(5, 4, 2)).at_block(0, 3), "are made for 2 blocks, and the network has 3"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str):
    """Blocks that do not follow on one another, none at all, and networks of another depth."""
    with pytest.raises(BuildError, match=message):
        make()


def ring(kernel: Any = "auto"):
    nodes = torch.arange(NODES)
    return Graph.from_edges(torch.cat([nodes, nodes]), torch.cat([nodes, (nodes + 1) % NODES]), NODES, kernel)


def network(overrides=None):
    return zoo.build("smoke/res-gcn", {"model.depth": 2, "probes": "none", **(overrides or {})})


@pytest.mark.parametrize("kernel", ["compiled", "torch", "dgl"])
@pytest.mark.parametrize("model", ["res-gcn", "res-gat", "res-sage", "gin", "mlp", "gcnii", "rev-gnn"])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_network_refuses_features_of_other_nodes(kernel, model, more):
    """With a row too many or too few nothing is computed, whatever the kernel."""
    built = network({"model.name": model, "execution.kernel": kernel})
    nodes, rows = built.graph.nodes, built.graph.nodes + more
    x = torch.randn(rows, built.task.inputs.width)
    for training in (True, False):
        with pytest.raises(BuildError, match=rf"network — got features \[{rows}, .*graph of {nodes} nodes"):
            built.network.train(training)(built.graph, x)


@pytest.mark.parametrize("kind", [GCNConv, SAGEConv, GATConv, GATv2Conv, partial(GINConv, activation=nn.ReLU), MLPConv])
def test_a_convolution_called_by_itself_refuses_them_too(kind):
    """So does any convolution that a user calls, and a block, of which loops would read past the end."""
    conv = kind(4, 4)
    for rows in (NODES - 1, NODES + 1):
        with pytest.raises(BuildError, match=rf"{rows}\D.*{NODES}"):
            conv(ring(), torch.randn(rows, 4))
        with pytest.raises(BuildError, match=rf"{rows}\D.*{NODES}"):
            Block(conv, residual=AddSkip())(ring(), torch.randn(rows, 4))


def test_a_graph_of_dgl_is_refused_in_words_that_say_how_to_make_one():
    """The words are followed: the graph made so is taken."""
    theirs, x = dgl.rand_graph(NODES, 30), torch.randn(NODES, 4)
    for call in (network().network, GCNConv(4, 4), GINConv(4, 4, activation=nn.ReLU)):
        with pytest.raises(
            BuildError, match=re.escape("got a DGLGraph for the graph") + r".*zoo\.graphs\.Graph\(graph\)"
        ):
            call(theirs, x)
    assert GCNConv(4, 4)(Graph(theirs), x).shape == (NODES, 4)


def test_edges_that_are_added_to_the_graph_of_dgl_later_are_not_ours():
    """A graph is what it was when it was made: loops would read rows of nodes that have none."""
    theirs = dgl.graph((torch.tensor([0, 1]), torch.tensor([1, 2])), num_nodes=3)
    graph = Graph(theirs)
    theirs.add_nodes(2)
    theirs.add_edges([4], [4])
    assert (graph.structure.edges, graph.dgl.num_nodes()) == (2, 3)
    torch.testing.assert_close(graph.propagate(torch.eye(3), "sum"), torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))


@pytest.mark.parametrize("model", ["res-gcn", "res-gat", "res-sage"])
def test_features_of_numpy_and_of_another_precision_are_refused(model):
    """An array with what to write instead; another precision than the parameters' by PyTorch, before any loop."""
    built: Any = network({"model.name": model})
    x = built.task.features
    with pytest.raises(BuildError, match=r"got a ndarray — expected a tensor — torch\.as_tensor"):
        built.network(built.graph, x.numpy())
    with pytest.raises(BuildError, match=r"the features are torch\.int64 — expected floats — features\.float\(\)"):
        built.network(built.graph, x.long())
    for other in (x.double(), x.bfloat16()):
        with pytest.raises(RuntimeError, match="same dtype"):
            built.network(built.graph, other)
    assert built.network.double()(built.graph, x.double()).dtype == torch.float64


def test_block_graphs_are_checked_at_their_sources():
    """A sampled network is given rows for the sources of its first block."""
    graph = ring()
    nodes, edges = torch.arange(4), torch.tensor([0, 1, 2])
    flow = BlockGraphs(
        [sampled_block(graph, nodes, 3, edges, edges), sampled_block(graph, nodes[:3], 2, edges[:2], edges[:2])]
    )
    net: Any = network().network
    width = net.encoder[1].weight.shape[0]
    assert net(flow, torch.randn(4, width)).shape[0] == 2
    with pytest.raises(BuildError, match=r"got features \[3, .*graph of 4 nodes"):
        net(flow, torch.randn(3, width))


@pytest.mark.parametrize("kind", [GCNConv, SAGEConv, GATConv, GATv2Conv])
@pytest.mark.parametrize("width", [1, 3, 8])
def test_a_skip_of_another_width_is_refused(kind, width):
    """A block that adds its input to an update of another width would read beyond the rows of the input."""
    block = Block(kind(width, 4), residual=AddSkip())
    with pytest.raises((BuildError, RuntimeError), match=rf"\b{width}\b"):
        block(ring("compiled"), torch.randn(NODES, width))


@pytest.mark.parametrize("kind", [GCNConv, SAGEConv, GATConv, GATv2Conv])
def test_strides_and_gradients_are_no_matter(kind):
    """Features that are not contiguous, or want gradients, give what a contiguous copy gives."""
    conv, wide = kind(4, 4), torch.randn(4, NODES)
    x = wide.t().requires_grad_()
    torch.testing.assert_close(conv(ring("compiled"), x), conv(ring("torch"), x.detach().contiguous()))
    sliced = torch.randn(2 * NODES, 8)[::2, ::2]
    torch.testing.assert_close(conv(ring("compiled"), sliced), conv(ring("torch"), sliced.clone()))
