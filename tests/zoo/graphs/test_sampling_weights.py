"""Samples' weights: estimates of the whole graph, against dense matrices and DGL's own degrees."""

import pytest
import torch
from torch import Tensor

from zoo.graphs import Graph, Norm
from zoo.graphs.block_graphs import sampled_block

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


def test_attention_weighs_by_the_inverse_probability():
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
