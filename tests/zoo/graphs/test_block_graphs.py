"""Flows and sampled blocks: estimates of the whole graph, against dense matrices and DGL's own blocks."""

import re
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph, Norm
from zoo.graphs.block_graphs import BlockGraphs, sampled_block
from zoo.layers.block import Block
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.linear import MLPConv
from zoo.layers.residual import AddSkip
from zoo.layers.sage import SAGEConv

NORMS: tuple[Norm, ...] = ("both", "right", "left", "sum")


def whole(loops: bool = True, nodes: int = 30, edges: int = 200) -> Graph:
    """A random directed graph with repeated edges, and a loop at every node or at none."""
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(nodes, (2, edges), generator=generator)
    src, dst = src[src != dst], dst[src != dst]
    every = torch.arange(nodes) if loops else torch.arange(0)
    return Graph.from_edges(torch.cat([src, every]), torch.cat([dst, every]), nodes)


def features(graph: Graph, width: int = 3) -> Tensor:
    """Float64 features of all nodes."""
    return torch.randn(graph.nodes, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def drawn(graph: Graph, fanout: int, seed: int) -> Graph:
    """Each node with its loops and the first `fanout` of its other in-edges in a random order of all edges."""
    order = torch.randperm(graph.edges, generator=torch.Generator().manual_seed(seed))
    src, dst = graph.structure.src.long(), graph.structure.dst.long()
    taken = torch.zeros(graph.nodes, dtype=torch.int64)
    chosen = []
    for edge, one, other in zip(order.tolist(), src[order].tolist(), dst[order].tolist(), strict=True):
        if one == other or taken[other] < fanout:
            taken[other] += one != other
            chosen.append(edge)
    edges = torch.tensor(chosen)
    return sampled_block(graph, torch.arange(graph.nodes), graph.nodes, src[edges], dst[edges], edges)


@pytest.mark.parametrize("loops", [True, False])
def test_the_mean_over_many_samples_is_the_whole_graphs(loops: bool):
    """Â x is estimated without bias: the mean over samples lies within five standard errors of it, everywhere."""
    graph = whole(loops, nodes=12, edges=70)
    x, draws = features(graph, 1), [drawn(graph, 2, seed) for seed in range(150)]
    for norm in NORMS:
        estimates = torch.stack([draw.propagate(x, norm) for draw in draws])
        error = estimates.std(0) / len(draws) ** 0.5
        assert error.max() > 0
        assert ((estimates.mean(0) - graph.propagate(x, norm)).abs() <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loops", [True, False])
def test_all_in_edges_give_the_whole_graphs_rows(norm: Norm, loops: bool):
    """With nothing left out, values are exact and so is the gradient, for chosen destinations."""
    graph = whole(loops)
    nodes = torch.cat([torch.tensor([7, 3]), torch.tensor([n for n in range(30) if n not in (3, 7)])])
    keep = torch.isin(graph.structure.dst, torch.tensor([3, 7]))
    place = torch.empty(30, dtype=torch.int64)
    place[nodes] = torch.arange(30)
    ends = (place[end[keep].long()] for end in (graph.structure.src, graph.structure.dst))
    block = sampled_block(graph, nodes, 2, *ends)
    x = features(graph).requires_grad_()
    got, wanted = block.propagate(x[nodes], norm), graph.propagate(x, norm)[[7, 3]]
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(y.sin().sum(), x)[0] for y in (got, wanted)))


def test_an_edges_weight_is_the_formulas():
    """On a star of four sources, two of them sampled: w·d/s of a plain edge, and the loop with its own weight."""
    src, dst = torch.tensor([1, 2, 3, 4, 0, 1]), torch.tensor([0, 0, 0, 0, 0, 2])
    graph = Graph.from_edges(src, dst, 5)
    block = sampled_block(graph, torch.tensor([0, 1, 2]), 1, torch.tensor([0, 1, 2]), torch.tensor([0, 0, 0]))
    weights = torch.stack([block.propagate(row, "both") for row in torch.eye(3, dtype=torch.float64)[..., None]])
    # d⁻ of node 0 is 5 with its loop; d⁺ are 1, 2, 1; two of four others are there: ρ = 2
    assert weights.flatten().tolist() == pytest.approx([1 / 5**0.5, 2 / 10**0.5, 2 / 5**0.5])


def test_a_mean_without_loops_is_the_samples_mean():
    """Norm right: 1/s of each sampled in-neighbour."""
    graph = whole(loops=False)
    block, x = drawn(graph, 3, 0), features(graph)
    src, dst = block.structure.src.long(), block.structure.dst.long()
    for node in (0, 11, 29):
        torch.testing.assert_close(block.propagate(x, "right")[node], x[src[dst == node]].mean(0))


def test_attention_weighs_by_the_inverse_chance():
    """Equal scores average the loop once and the others ρ times: the whole graph's mean, without bias of the loop."""
    graph = whole()
    block = drawn(graph, 2, 0)
    weights = block.edge_softmax(torch.zeros(block.edges, 1, dtype=torch.float64))
    degree = graph.in_degrees
    for node in (0, 11, 29):
        mine = block.structure.dst == node
        loop = mine & (block.structure.src == node)
        d, ones = float(degree[node]), int(loop.sum())
        assert weights[loop].tolist() == [[pytest.approx(1 / d)]] * ones
        assert float(weights[mine].sum()) == pytest.approx(1)


def test_sums_over_edges_are_estimates_too():
    """`edge_sum` of what the edges' sources have equals `propagate` by sums."""
    graph = whole()
    block, x = drawn(graph, 2, 0), features(graph)
    torch.testing.assert_close(block.edge_sum(block.at_edges(x)), block.propagate(x, "sum"))


def test_degrees_are_those_of_the_whole_graph():
    """In-degrees of destinations, out-degrees of sources, and neighbours, against DGL's of the whole."""
    graph = whole()
    block = drawn(graph, 2, 0)
    assert torch.equal(block.in_degrees, graph.dgl.in_degrees()) and torch.equal(
        block.out_degrees, graph.dgl.out_degrees()
    )
    assert torch.equal(block.neighbours, graph.dgl.in_degrees() - 1)


def test_a_thinned_sample_expects_a_graph_thinned_alike():
    """Half of the others dropped halves the degrees but for the loop; a mean stays the sample's mean."""
    graph = whole()
    block = drawn(graph, 4, 0)
    others = (block.structure.src != block.structure.dst).nonzero().squeeze(1)
    keep = torch.ones(block.edges, dtype=torch.bool)
    keep[others[::2]] = False
    thin = block.edge_subgraph(keep)
    share = (len(others) - len(others[::2])) / len(others)
    torch.testing.assert_close(thin.in_degrees, share * (graph.in_degrees - 1).double() + 1)
    ones = torch.ones(graph.nodes, 1, dtype=torch.float64)
    kept = thin.structure.incoming.lengths > 1
    torch.testing.assert_close(thin.propagate(ones, "right")[kept], ones[kept])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("backward", [True, False])
def test_what_is_smooth_in_the_whole_is_smooth_in_a_sample(norm: Norm, backward: bool):
    """The whole graph's limit vectors, cut to a block's destinations, lie in the block's limit subspace."""
    src, dst = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]), torch.tensor([1, 0, 3, 2, 3, 0, 1, 2, 3, 4])
    graph = Graph.from_edges(torch.cat([src, dst]), torch.cat([dst, src]), 5)
    nodes = torch.tensor([3, 1, 2, 4, 0])
    block = sampled_block(graph, nodes, 2, torch.tensor([2, 4]), torch.tensor([0, 1]))
    x = features(graph)
    smooth = x - graph.subspace("limit", norm, backward=backward).split(x)[0]
    off, _ = block.subspace("limit", norm, backward=backward).norms(smooth[nodes[:2]])
    assert float(off) == pytest.approx(0, abs=1e-12)
    off, _ = block.subspace("degree").norms(graph.in_degrees[nodes[:2]].double().sqrt()[:, None])
    assert float(off) == pytest.approx(0, abs=1e-7)


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


NODES = 10


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
