"""ContraNorm against its formula, node by node in float64, and what it does to nodes that are alike."""

import re

import numpy as np
import pytest
import torch

from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.normalizers.contra import ContraNorm

NODES = 9
# Isolated nodes (7, 8), loops, a double and a triple edge.
SRC = [0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 2, 4, 0]
DST = [1, 1, 2, 2, 2, 2, 3, 0, 0, 0, 4, 6, 6, 0]


@pytest.fixture
def graph() -> Graph:
    """A directed graph with isolated nodes, multi-edges and loops."""
    return Graph.from_edges(torch.tensor(SRC), torch.tensor(DST), NODES)


@pytest.fixture
def x() -> torch.Tensor:
    """Features of the nodes in float64, one row of them zero."""
    x = torch.randn(NODES, 4, dtype=torch.float64)
    x[3] = 0
    return x


@pytest.mark.parametrize("skip", [True, False])
def test_formula(graph, x, skip) -> None:
    """Node i loses the mean of the others, weighted by exp(cos/τ), without its in-neighbours and itself if asked."""
    values, neighbours = x.numpy(), set(zip(DST, SRC, strict=True)) | {(i, i) for i in range(NODES)}
    lengths = np.linalg.norm(values, axis=1)
    expected = []
    for i in range(NODES):
        others = [j for j in range(NODES) if not (skip and (i, j) in neighbours)]
        cosines = [values[i] @ values[j] / (lengths[i] * lengths[j] or 1) for j in others]
        weights = np.exp(np.array(cosines) / 0.5)
        mean = weights @ values[others] / weights.sum()
        expected.append((1 + 0.7) * values[i] - 0.7 * mean)
    norm = ContraNorm(4, scale=0.7, temperature=0.5, skip_neighbours=skip)
    torch.testing.assert_close(norm(graph, x), torch.from_numpy(np.stack(expected)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("nodes", [1, 4])
def test_a_node_that_neighbours_all(nodes) -> None:
    """In a complete graph no node is left to push away from: the features stay, and so do the gradients."""
    src, dst = torch.cartesian_prod(torch.arange(nodes), torch.arange(nodes)).unbind(1)
    x = torch.randn(nodes, 4, requires_grad=True)
    out = ContraNorm(4)(Graph.from_edges(src, dst, nodes), x)
    out.sum().backward()
    torch.testing.assert_close(out, x)
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_spreads_nodes_out(graph, x) -> None:
    """Features that are nearly equal move apart: their distance to the mean grows by about 1 + s."""
    alike = 5 + 1e-3 * x
    before, after = (
        torch.linalg.norm(y - y.mean(dim=0)) for y in (alike, ContraNorm(4, skip_neighbours=False)(graph, alike))
    )
    assert after / before == pytest.approx(2, rel=1e-2)


def test_large_graphs_are_refused(graph, x) -> None:
    """The error says what the matrices would take, and what else spreads nodes out."""
    with pytest.raises(BuildError, match=re.escape("9 nodes are more than max_nodes: 8")) as error:
        ContraNorm(4, max_nodes=8)(graph, x)
    assert "GiB" in str(error.value) and "pair and mean" in str(error.value)
    with pytest.raises(BuildError, match=r"would take 1\.45 GiB"):
        ContraNorm(1)(None, torch.zeros(19717, 1))


@pytest.mark.parametrize("skip", [True, False])
def test_gradient(graph, x, skip) -> None:
    """The gradient agrees with finite differences."""
    module = ContraNorm(4, skip_neighbours=skip, temperature=0.5)
    x[3] = 1
    assert torch.autograd.gradcheck(lambda features: module(graph, features), (x.requires_grad_(),))
