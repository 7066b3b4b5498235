"""The critical variance against the Gaussian process that it is derived from, iterated densely."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.initializers.critical_variance import CriticalVariance, critical_variance, largest_eigenvalue

Floats = NDArray[np.float64]


def dense(graph, norm: str) -> Floats:
    a = np.zeros((graph.nodes, graph.nodes))
    np.add.at(a, (graph.structure.dst.numpy(), graph.structure.src.numpy()), 1)
    inwards, outwards = np.maximum(a.sum(1), 1)[:, None], np.maximum(a.sum(0), 1)[None]
    return {"both": a / np.sqrt(inwards * outwards), "right": a / inwards, "left": a / outwards, "sum": a}[norm]


def doubly_stochastic(graph) -> Floats:
    """The operator of the paper's experiments, I − (g/d_max)(D − A) with g = 0.9."""
    a = dense(graph, "sum")
    return np.eye(len(a)) - 0.9 / a.sum(1).max() * (np.diag(a.sum(1)) - a)


def kernel_of(k: Floats, activation: str) -> Floats:
    """C(K) for both activations, from the integrals' closed forms (Williams 1997; Cho & Saul 2009)."""
    size = np.diag(k)
    if activation == "erf":
        scale = np.pi / 2 * k / np.sqrt(np.outer(1 + np.pi / 2 * size, 1 + np.pi / 2 * size))
        return 2 / np.pi * np.arcsin(np.clip(scale, -1, 1))
    lengths = np.sqrt(np.outer(size, size))
    cosine = np.clip(k / lengths, -1, 1)
    return lengths / (2 * np.pi) * (np.sqrt(1 - cosine**2) + cosine * (np.pi - np.arccos(cosine)))


def difference(operator: Floats, variance: float, activation: str, steps: int) -> list[float]:
    """How far apart two nodes are at most, K_ii + K_jj − 2K_ij, block by block; nodes start a little apart."""
    make = np.random.default_rng(0)
    start = make.standard_normal((len(operator), 3 * len(operator))) / math.sqrt(3 * len(operator))
    k = 1 + 1e-4 * start @ start.T
    found = []
    for _ in range(steps):
        k = variance * operator @ kernel_of(k, activation) @ operator.T
        k = (k + k.T) / 2  # rounding makes it a little asymmetric, and such parts, which mean nothing, would grow
        found.append(float((np.diag(k)[:, None] + np.diag(k)[None] - 2 * k).max()))
    return found


def second(operator: Floats) -> float:
    return float(np.sort(np.abs(np.linalg.eigvals(operator)))[-2])


def test_erf_networks_oversmooth_below_it_and_not_above(graph):
    """2 % below the value for this λ all nodes of the infinitely wide network become equal, 2 % above they do not."""
    operator = doubly_stochastic(graph)
    critical = critical_variance(second(operator), "erf")
    assert critical > 1.05
    assert difference(operator, 0.98 * critical, "erf", 3000)[-1] < 1e-8
    assert difference(operator, 1.02 * critical, "erf", 3000)[-1] > 1e-3


def test_relu_keeps_small_differences_at_it(graph):
    """Once faster modes have died out, the largest difference goes with σ_w²λ²/2 a block: by 0.97, or by 1.03."""
    operator = doubly_stochastic(graph)
    critical = critical_variance(second(operator), "relu")
    for factor in (0.97, 1.03):
        found = difference(operator, factor * critical, "relu", 60)
        assert (found[-1] / found[-11]) ** 0.1 == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_it_grows_as_the_graph_mixes_faster(activation):
    """At λ = 1, where nothing mixes, it is the edge of chaos of a plain network; the smaller λ, the larger it is."""
    assert critical_variance(1.0, activation) == {"relu": 2, "erf": 1}[activation]
    values = [critical_variance(eigenvalue, activation) for eigenvalue in (0.99999, 0.99, 0.9, 0.5, 0.1, 0.01)]
    assert values == sorted(values)


@pytest.mark.parametrize("norm", ["both", "right", "left", "sum"])
def test_lambda_is_the_largest_eigenvalue_off_the_limit(graph, norm):
    """On a connected graph, the second largest modulus of the dense propagation's eigenvalues."""
    values = np.sort(np.abs(np.linalg.eigvals(dense(graph, norm))))
    assert largest_eigenvalue(graph, norm) == pytest.approx(values[-2], rel=1e-6)


def test_large_graphs_are_solved_iteratively():
    """Beyond 256 nodes the value is still the dense one, components and all; without propagation it is 1."""
    make = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 280, (2, 900), generator=make)
    loops = torch.arange(300)
    graph = Graph.from_edges(torch.cat([src, dst, loops]), torch.cat([dst, src, loops]), 300)
    for norm in ("both", "right"):
        values = np.sort(np.abs(np.linalg.eigvals(dense(graph, norm))))
        expected = values[values < 1 - 1e-9].max()
        assert largest_eigenvalue(graph, norm) == pytest.approx(expected, rel=1e-6)
    assert largest_eigenvalue(graph, None) == 1


@pytest.mark.parametrize("shape", [(400, 300), (3, 200, 150)])
@pytest.mark.parametrize("sigma_w2", [1.7, "critical"])
def test_weights_have_the_variance_that_is_said(graph, shape, sigma_w2):
    """The sample variance of many weights is σ_w²/fan_in within five standard errors, and their mean 0."""
    torch.manual_seed(0)
    weight = torch.empty(shape, dtype=torch.float64)
    CriticalVariance(sigma_w2=sigma_w2).fill(weight, graph, fan_in=shape[-2], propagation="both")
    value = 2 / second(dense(graph, "both")) ** 2 if sigma_w2 == "critical" else sigma_w2
    assert float(weight.var()) == pytest.approx(value / shape[-2], rel=5 * (2 / weight.numel()) ** 0.5)
    assert abs(float(weight.mean())) < 5 * (value / shape[-2] / weight.numel()) ** 0.5


def test_a_directed_graph_is_refused(directed):
    """Its propagation has no eigenvectors to tell differences by."""
    with pytest.raises(BuildError, match="directed"):
        CriticalVariance().fill(torch.empty(3, 3), directed, fan_in=3, propagation="both")


def test_a_complete_graph_has_no_critical_value():
    """Where one step makes all nodes equal, the error says so; a number is taken."""
    src, dst = torch.ones(4, 4).nonzero().T
    graph, weight = Graph.from_edges(src, dst, 4), torch.empty(3, 3)
    with pytest.raises(BuildError, match="sigma_w2 as a number"):
        CriticalVariance().fill(weight, graph, fan_in=3, propagation="both")
    CriticalVariance(sigma_w2=1.0).fill(weight, graph, fan_in=3, propagation="both")
