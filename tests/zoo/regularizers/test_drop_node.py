"""DropNode: features of whole nodes, or all their edges."""

import torch

from zoo.regularizers.drop_node import DropNode


def test_features_are_kept_whole_or_zeroed_whole(graph, x):
    """Each row is 0 or x_i/(1−p), and the input is not written into."""
    before = x.clone()
    found = DropNode(p=0.25).features(graph, x)
    zero = (found == 0).all(dim=1)
    assert 0 < zero.sum() < len(x)
    torch.testing.assert_close(found[~zero], x[~zero] / 0.75)
    assert torch.equal(x, before)


def test_the_expectation_is_the_input(graph, x):
    """The mean of 20,000 draws is x within five standard errors of ε/(1−p), entry by entry."""
    torch.manual_seed(0)
    drop, draws, p = DropNode(p=0.5), 20_000, 0.5
    mean = sum(drop.features(graph, x) for _ in range(draws)) / draws
    assert ((mean - x).abs() <= 5 * x.abs() * (p / (1 - p) / draws) ** 0.5).all()


def test_edges_of_dropped_nodes_go_but_their_loops_stay(graph, x, dense):
    """What is left are loops and the graph induced by the kept nodes, propagated at its own degrees."""
    torch.manual_seed(2)
    drop = DropNode(p=0.4, kind="edges")
    assert drop.features(graph, x) is x
    thin = drop.drop_edges(graph)
    torch.manual_seed(2)
    kept = torch.rand(graph.nodes) >= 0.4
    expected = {
        (u, v)
        for u, v in zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True)
        if u == v or (kept[u] and kept[v])
    }
    assert set(zip(thin.structure.src.tolist(), thin.structure.dst.tolist(), strict=True)) == expected
    torch.testing.assert_close(thin.propagate(x), dense(thin) @ x, rtol=0, atol=1e-12)


def test_features_kind_leaves_the_graph_alone(graph):
    """The propagation is that of the whole graph."""
    assert DropNode().drop_edges(graph) is graph
