"""μ, norm and ratio against autograd and dense projections, and against their closed forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoo.graphs.graph import Graph
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.mlp import MLPConv
from zoo.probes.matrix import NodeMatrix
from zoo.probes.similarity import Similarity

SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 8), st.integers(0, 2**31 - 1))


class Left(GCNConv):
    """Propagates with 1/d of the source."""

    propagation = "left"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def forward(self, graph, x):
        return graph.propagate(x @ self.weight, "left")


CONVS: dict[str, Callable[[], nn.Module]] = {
    "both": lambda: GCNConv(5, 5),
    "right": lambda: GCNConv(5, 5, norm="right"),
    "left": lambda: Left(5, 5),
    "sum": lambda: GINConv(5, 5, activation=nn.Tanh),
    "none": lambda: MLPConv(5, 5),
}


def propagation(a: np.ndarray, norm: str) -> np.ndarray:
    """The dense Â of a symmetric matrix of edge counts."""
    d = np.maximum(a.sum(1), 1)
    return {
        "both": a / np.sqrt(np.outer(d, d)),
        "right": a / d[:, None],
        "left": a / d[None],
        "sum": a,
    }[norm]


def smooth(a: np.ndarray, subspace: str, norm: str, backward: bool) -> np.ndarray:
    """The dense projection onto a subspace, the limit from eigenvectors of each component."""
    n = len(a)
    if subspace == "plain" or (subspace == "limit" and norm == "none"):
        return np.full((n, n), 1 / n)
    if subspace == "degree":
        return np.outer(np.sqrt(a.sum(1)), np.sqrt(a.sum(1))) / a.sum()
    p = np.zeros((n, n))
    for nodes in np.unique(np.linalg.matrix_power(np.eye(n) + a, n) > 0, axis=0):
        operator = propagation(a, norm)[np.ix_(nodes, nodes)]
        values, vectors = np.linalg.eig(operator.T if backward else operator)
        largest = np.abs(values).max()
        if largest:
            q, _ = np.linalg.qr(np.real(vectors[:, np.abs(np.abs(values) - largest) < 1e-9]))
            p[np.ix_(nodes, nodes)] = q @ q.T
    return p


@pytest.mark.parametrize("of", ["gradients", "representations"])
@pytest.mark.parametrize("norm", list(CONVS))
def test_values_equal_dense_projections(make_case, graph_name, norm, of):
    """The triple of each subspace at each block is that of kept outputs, or of torch.autograd.grad, to 1e-10."""
    case = make_case(graph_name, CONVS[norm])
    reading = case.read(*(Similarity(of=of, subspace=name) for name in ("plain", "degree", "limit")))
    for name in ("plain", "degree", "limit"):
        p = smooth(case.adjacency, name, norm, of == "gradients")
        mu = [np.sqrt(np.square(x - p @ x).sum()) for x in case.of(of)]
        whole = [np.sqrt(np.square(x).sum()) for x in case.of(of)]
        np.testing.assert_allclose(reading[f"{of}.mu.{name}"], mu, rtol=1e-10)
        np.testing.assert_allclose(reading[f"{of}.norm"], whole, rtol=1e-10)
        np.testing.assert_allclose(reading[f"{of}.ratio.{name}"], np.divide(mu, whole), rtol=1e-10)


def test_smoothing_to_the_end_is_seen_by_the_limit_alone(make_case):
    """Propagated often, features have limit ratio 0 on every norm; plain ones stay apart, as components do."""
    case = make_case("bipartite", CONVS["both"])
    for norm in ("both", "right", "left", "sum"):
        x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for _ in range(2000):
            x = case.graph.propagate(x, norm)
            x = x / x.norm()
        assert measured(x, "limit", case.graph, norm)["ratio.limit"] < 1e-9
        assert measured(x, "plain", case.graph, norm)["ratio.plain"] > 0.1


def measured(
    x: torch.Tensor, subspace: Any = "plain", graph: Graph | None = None, norm: Any = "both"
) -> dict[str, torch.Tensor]:
    """The triple of one matrix."""
    probe = Similarity(subspace=subspace)
    return probe.finish([probe.reduce(NodeMatrix(x, graph, norm, backward=False))])


def mu(x: torch.Tensor) -> torch.Tensor:
    """μ of one matrix, plain."""
    return measured(x)["mu.plain"][0]


def matrix(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randn(shape[0], shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(shape[2]))


@given(SHAPES)
def test_pythagoras(shape):
    """‖X‖² = μ(X)² + n‖γ‖²."""
    x = matrix(shape)
    mean = len(x) * x.mean(dim=0).square().sum()
    norm = measured(x)["norm"][0]
    torch.testing.assert_close(norm, x.norm(), rtol=1e-12, atol=0)
    torch.testing.assert_close(norm**2, mu(x) ** 2 + mean, rtol=1e-12, atol=1e-12)


@given(SHAPES)
def test_triangle_inequality(shape):
    """μ(X + Y) ≤ μ(X) + μ(Y)."""
    x = matrix(shape)
    y = matrix((*shape[:2], shape[2] + 1))
    assert mu(x + y) <= mu(x) + mu(y) + 1e-12


def test_zero_if_and_only_if_all_rows_are_equal():
    """Equal rows give exactly 0, one other row does not, and a tiny difference beside a large mean is still seen."""
    x = torch.full((5, 3), 1e4)
    assert mu(x) == 0
    x[2, 1] += 1
    torch.testing.assert_close(mu(x), torch.tensor(0.8).sqrt(), rtol=1e-3, atol=0)


def test_a_zero_matrix_has_no_ratio():
    """Vanished altogether: μ and norm are 0, their ratio is NaN, not smooth."""
    zero = measured(torch.zeros(3, 2))
    assert (float(zero["mu.plain"]), float(zero["norm"])) == (0, 0)
    assert bool(zero["ratio.plain"].isnan())
