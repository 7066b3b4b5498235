"""G-Init: its closed forms, and variance that stays through blocks."""

import math

import pytest
import torch
from scipy.integrate import dblquad

from zoo.graph_like import Norm
from zoo.graphs import Graph
from zoo.initializers.g_init import GInit, kept_variance


def adjacency(graph) -> torch.Tensor:
    a = torch.zeros(graph.nodes, graph.nodes, dtype=torch.float64)
    for u, v in zip(graph.structure.src.tolist(), graph.structure.dst.tolist(), strict=True):
        a[v, u] += 1
    return a


@pytest.mark.parametrize("name", ["graph", "directed"])
@pytest.mark.parametrize("norm", ["both", "right", "left", "sum"])
@pytest.mark.parametrize("kernel", [0.0, 0.4, 1.0])
def test_q_is_the_dense_sum(name, norm, kernel, request):
    """Q is Σ_i [(1−κ) Σ_j Â_ij² p_j + κ (Σ_j Â_ij √p_j)²]/Σp with dense matrices, where no edge is double."""
    graph = request.getfixturevalue(name)
    a = adjacency(graph).clamp(max=1)
    dst, src = a.nonzero().T
    graph = Graph.from_edges(src, dst, graph.nodes)
    inwards, outwards = a.sum(1).clamp(min=1)[:, None], a.sum(0).clamp(min=1)[None]
    dense = {"both": a / (inwards * outwards).sqrt(), "right": a / inwards, "left": a / outwards, "sum": a}[norm]
    p = {"both": a.sum(0), "left": a.sum(0).square()}.get(norm, torch.ones(len(a), dtype=torch.float64))
    expected = ((1 - kernel) * (dense.square() @ p) + kernel * (dense @ p.sqrt()).square()).sum() / p.sum()
    assert kept_variance(graph, norm, kernel) == pytest.approx(float(expected), rel=1e-12)


def test_closed_forms_of_the_docstring(graph):
    """For both, κ + (1−κ)/d̄; for means, κ + (1−κ) mean(1/d); without propagation, 1."""
    degree = adjacency(graph).sum(1)
    for kernel in (0.0, 0.3, 1.0):
        assert kept_variance(graph, "both", kernel) == pytest.approx(kernel + (1 - kernel) / float(degree.mean()))
        expected = kernel + (1 - kernel) * float((1 / degree).mean())
        assert kept_variance(graph, "right", kernel) == pytest.approx(expected)
        assert kept_variance(graph, None, kernel) == 1


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
def test_the_kernel_is_the_expectation_of_a_product_of_relus(r):
    """κ(r) = 2 E[relu(u) relu(v)] for standard normals of correlation r, by quadrature."""

    def density(v: float, u: float) -> float:
        exponent = -(u * u - 2 * r * u * v + v * v) / (2 * (1 - r * r))
        return u * v * math.exp(exponent) / (2 * math.pi * math.sqrt(1 - r * r))

    expected = 2 * dblquad(density, 0, 9, 0, 9)[0]
    assert GInit(correlation=r).kernel == pytest.approx(expected, abs=1e-6)
    assert GInit(correlation=r, activation="identity").kernel == r


@pytest.mark.parametrize("shape", [(400, 300), (3, 200, 150)])
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_weights_have_the_variance_that_is_said(graph, shape, activation):
    """The sample variance of many weights is gain/(fan_in·q) within five standard errors, and their mean 0."""
    torch.manual_seed(0)
    made = GInit(correlation=0.0, activation=activation)
    weight = torch.empty(shape, dtype=torch.float64)
    made.fill(weight, graph, fan_in=shape[-2], propagation="both")
    kernel, gain = (1 / math.pi, 2) if activation == "relu" else (0.0, 1)
    degree = float(adjacency(graph).sum() / graph.nodes)
    expected = gain / (shape[-2] * (kernel + (1 - kernel) / degree))
    assert float(weight.var()) == pytest.approx(expected, rel=5 * (2 / weight.numel()) ** 0.5)
    assert abs(float(weight.mean())) < 5 * (expected / weight.numel()) ** 0.5


def pass_through(graph, correlation: float, blocks: int, norm: Norm = "both") -> list[float]:
    """Σ‖y_i‖² of each block of a wide relu GCN, relative to what independent inputs with profile p start from."""
    torch.manual_seed(0)
    width, made = 1000, GInit(correlation=correlation)
    degree = adjacency(graph).sum(1) if norm == "both" else torch.ones(graph.nodes, dtype=torch.float64)
    y = torch.randn(graph.nodes, width, dtype=torch.float64) * degree.sqrt()[:, None]
    start, found = y.square().sum(), []
    weight = torch.empty(width, width, dtype=torch.float64)
    for _ in range(blocks):
        made.fill(weight, graph, fan_in=width, propagation=norm)
        y = graph.propagate(y.relu() @ weight, norm)
        found.append(float(y.square().sum() / start))
    return found


@pytest.mark.parametrize("norm", ["both", "right"])
def test_independent_neighbours_keep_their_variance_through_a_block(graph, norm):
    """With correlation 0, one block of a float64 relu GCN passes uncorrelated nodes on at the variance they had."""
    assert pass_through(graph, 0.0, 1, norm)[0] == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("norm", ["both", "right"])
def test_a_deep_network_keeps_its_variance(graph, norm):
    """With correlation 1, what the first blocks leave stays within a factor 2 from block 10 to block 64."""
    found = pass_through(graph, 1.0, 64, norm)
    assert all(0.5 < value / found[9] < 2 for value in found[10:])
    assert pass_through(graph, 0.0, 64, norm)[-1] > 1e6


def test_without_edges_it_is_kaimings():
    """A graph that propagates nothing has nothing to correct for."""
    graph = Graph.from_edges(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 3)
    assert kept_variance(graph, "both", 0.0) == 1
