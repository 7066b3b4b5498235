"""The package's words for propagation, against dense matrices."""

import pytest
import torch

from zoo.engine import attend, propagate
from zoo.engine.propagation import softmax_sum
from zoo.graph_like import Norm
from zoo.graphs.graph import Graph

NODES = 12


@pytest.fixture
def graph() -> Graph:
    src, dst = torch.randint(0, NODES - 1, (2, 40), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, NODES)


def dense(graph: Graph, weights: torch.Tensor) -> torch.Tensor:
    """The matrix of these weights of the edges."""
    ends = graph.structure.dst.long(), graph.structure.src.long()
    return torch.zeros(NODES, NODES, dtype=weights.dtype).index_put_(ends, weights, accumulate=True)


@pytest.mark.parametrize("norm", ["both", "right", "left", "sum"])
def test_propagation_by_degrees(graph: Graph, norm: Norm):
    """The weights of the docstring, for features of any trailing shape."""
    x = torch.randn(NODES, 2, 3, dtype=torch.float64)
    inwards, outwards = (degrees.clamp(min=1).double() for degrees in (graph.in_degrees, graph.out_degrees))
    src, dst = graph.structure.src.long(), graph.structure.dst.long()
    weights = {"both": (inwards[dst] * outwards[src]).rsqrt(), "right": 1 / inwards[dst], "left": 1 / outwards[src]}
    matrix = dense(graph, weights.get(norm, torch.ones(40).double()))
    torch.testing.assert_close(propagate(graph, x, norm), torch.einsum("ij,jkl->ikl", matrix, x))


def test_attention_by_weights_and_by_scores(graph: Graph):
    """Heads are weighted apart, by what is given or by the softmax over in-edges, times factors."""
    values, scores = torch.randn(NODES, 2, 3, dtype=torch.float64), torch.randn(40, 2, dtype=torch.float64)
    factors = torch.rand(40, 2, dtype=torch.float64)
    powers, dst = scores.exp(), graph.structure.dst.long()
    softmax = powers / torch.zeros(NODES, 2, dtype=torch.float64).index_add(0, dst, powers)[dst]
    for weights, found in (
        (scores, attend(graph, values, scores)),
        (softmax * factors, softmax_sum(graph, values, scores, factors)),
    ):
        expected = torch.stack([dense(graph, weights[:, head]) @ values[:, head] for head in range(2)], dim=1)
        torch.testing.assert_close(found, expected)


def test_half_precision_is_computed_in_single(graph: Graph):
    """The result is that of float32, rounded once."""
    x = torch.randn(NODES, 4, dtype=torch.bfloat16)
    assert torch.equal(propagate(graph, x), propagate(graph, x.float()).bfloat16())
    values, weights = x.view(NODES, 2, 2), torch.rand(40, 2, dtype=torch.bfloat16)
    assert torch.equal(attend(graph, values, weights), attend(graph, values.float(), weights.float()).bfloat16())
