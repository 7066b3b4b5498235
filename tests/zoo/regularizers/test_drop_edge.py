"""DropEdge: which edges go, how many, and what is computed on those that stay."""

import pytest
import torch

import zoo
from zoo.graphs import Graph
from zoo.regularizers.drop_edge import DropEdge


def edges(graph) -> set[tuple[int, int]]:
    return set(zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9])
def test_exactly_the_share_p_goes_and_no_loop(graph, p):
    """(1−p)·E of the other edges stay, a subset of those that were, beside every self-loop."""
    others = graph.edges - graph.nodes
    thin = DropEdge(p=p).drop_edges(graph)
    assert thin.edges == graph.nodes + others - round(p * others)
    assert edges(thin) <= edges(graph)
    assert {(node, node) for node in range(graph.nodes)} <= edges(thin)


def test_each_edge_goes_equally_often(graph):
    """Over 2,000 draws every edge is dropped within five standard deviations of p."""
    torch.manual_seed(0)
    draws, p = 2000, 0.4
    apart = graph.structure.src != graph.structure.dst
    count = torch.zeros(graph.edges)
    pairs = zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True)
    known = {pair: place for place, pair in enumerate(pairs)}
    for _ in range(draws):
        for pair in edges(DropEdge(p=p).drop_edges(graph)):
            count[known[pair]] += 1
    share = 1 - count / draws
    assert (share[apart] - p).abs().max() < 5 * (p * (1 - p) / draws) ** 0.5
    assert (share[~apart] == 0).all()


def test_propagation_is_renormalised(graph, x, dense):
    """Â x on the thinned graph is the dense product with the degrees that are left, in float64."""
    thin = DropEdge(p=0.6).drop_edges(graph)
    torch.testing.assert_close(thin.propagate(x), dense(thin) @ x, rtol=0, atol=1e-12)
    assert not torch.allclose(thin.propagate(x), graph.propagate(x))


def test_two_draws_differ_and_a_seed_repeats_them(graph):
    """Each pass has a graph of its own; the generator's state decides which."""
    drop = DropEdge(p=0.5)
    torch.manual_seed(3)
    first, second = edges(drop.drop_edges(graph)), edges(drop.drop_edges(graph))
    torch.manual_seed(3)
    assert first != second
    assert edges(drop.drop_edges(graph)) == first


@pytest.mark.parametrize("per_block", [False, True])
def test_blocks_share_one_graph_or_have_their_own(per_block):
    """One thinned graph for the whole pass, or one for each block; the whole graph in evaluation."""
    built = zoo.build("smoke/drop-edge", {"regularizer.per_block": per_block})
    seen: list = []
    for block in built.network.blocks:
        block.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    built.network.train()(built.graph, built.data.features)
    assert len({id(graph) for graph in seen}) == (4 if per_block else 1)
    assert all(graph.whole is built.graph and graph.edges < built.graph.edges for graph in seen)
    seen.clear()
    built.network.eval()(built.graph, built.data.features)
    assert all(graph is built.graph for graph in seen)


def test_a_graph_without_edges_stays_as_it_is():
    """Where there is nothing to drop, nothing is."""
    graph = Graph.from_edges(torch.arange(3), torch.arange(3), 3)
    assert DropEdge(p=0.9).drop_edges(graph).edges == 3
