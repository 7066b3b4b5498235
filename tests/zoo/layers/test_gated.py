"""Gradient gating: the differences between neighbours, and the gated update."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.graphs import Graph
from zoo.layers.gated import GatedBlock, mean_difference
from zoo.layers.gcn import GCNConv


def by_hand(graph: Graph, x: Tensor, p: float) -> Tensor:
    """Edge by edge, loops left out."""
    rows: list[Tensor] = []
    src, dst = (end.tolist() for end in graph.dgl.edges(order="eid"))
    for node in range(graph.nodes):
        others = [s for s, d in zip(src, dst, strict=True) if d == node and s != node]
        terms = [(x[node] - x[other]).abs().pow(p) for other in others]
        rows.append(torch.stack(terms).mean(0) if terms else torch.zeros_like(x[0]))
    return torch.stack(rows)


@pytest.mark.parametrize("p", [1.0, 2.0, 2.5, 4.0])
def test_mean_difference_is_the_sum_over_edges(graph: Graph, features: Any, compare: Any, p: float):
    """On a directed graph with loops, several edges and isolated nodes, with its gradient."""
    x = features(3)
    compare(mean_difference(graph, x, p), by_hand(graph, x, p), [(x, x)])


def test_large_features_that_are_nearly_equal_do_not_cancel(graph: Graph, features: Any):
    """A shift by a thousand leaves the squares of small differences right in float32."""
    x = (1e-2 * features(3).detach()).float()
    got = mean_difference(graph, x + 1000, 2.0)
    torch.testing.assert_close(got.double(), by_hand(graph, (x + 1000).double(), 2.0), rtol=1e-3, atol=1e-8)
    assert (got >= 0).all()


def test_half_precision_is_computed_in_float32(graph: Graph, features: Any):
    """bfloat16 features give the float32 result of the rounded features."""
    x = features(3).detach().bfloat16()
    torch.testing.assert_close(mean_difference(graph, x, 2.0), mean_difference(graph, x.float(), 2.0))


@pytest.mark.parametrize("own_gate", [True, False])
def test_the_block_is_its_formula(graph: Graph, features: Any, compare_as_is: Any, own_gate: bool):
    """(1−τ) x + τ tanh(conv(x)) with τ from the gate's convolution, or from conv where it has none."""
    x = features(4)
    conv, gate = GCNConv(4, 4).double(), GCNConv(4, 4).double()
    block = GatedBlock(conv, gate_conv=gate if own_gate else None, p=2.0, activation=nn.Tanh())
    update = torch.tanh(conv(graph, x))
    tau = torch.tanh(by_hand(graph, torch.tanh(gate(graph, x)) if own_gate else update, 2.0))
    pairs = [(x, x), (conv.weight, conv.weight), *([(gate.weight, gate.weight)] if own_gate else [])]
    compare_as_is(block(graph, x), x + tau * (update - x), pairs)


def test_equal_neighbours_keep_a_node_as_it_is(graph: Graph):
    """Where the gate sees no difference nothing changes, whatever the convolution says."""

    class Constant(nn.Module):
        def forward(self, graph: Graph, x: Tensor) -> Tensor:
            """The same everywhere."""
            return torch.full_like(x, 7.0)

    x = torch.randn(graph.nodes, 3)
    torch.testing.assert_close(GatedBlock(Constant(), activation=nn.ReLU())(graph, x), x)
