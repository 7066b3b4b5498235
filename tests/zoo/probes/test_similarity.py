"""μ, norm and ratio against autograd and dense projections, and against their closed forms."""

import math
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
from zoo.layers.linear import MLPConv
from zoo.probes.base import NodeMatrix
from zoo.probes.similarity import ExpansionRate, Finite, OutputError, Similarity, slope
from zoo.probes.tap import Tap

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


@pytest.mark.parametrize("subspace", ["plain", "degree", "limit"])
def test_rate_equals_polyfit(make_case, graph_name, subspace):
    """Minus the slope of log μ(G_l) over l, whichever μ, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(ExpansionRate(subspace=subspace), Similarity(subspace=subspace))
    mu = reading[f"gradients.mu.{subspace}"]
    wanted = -np.polyfit(np.arange(len(mu)), np.log(mu), 1)[0]
    assert reading.number(f"expansion_rate.{subspace}") == pytest.approx(wanted, rel=1e-10)


def test_blocks_without_a_number_are_left_out():
    """Zeros, infinities and NaN do not count; the others stay where they are."""
    mu = torch.tensor([8.0, 0.0, 2.0, float("nan"), float("inf"), 3.0], dtype=torch.float64)
    places = [0, 2, 5]
    assert float(slope(mu)) == pytest.approx(-np.polyfit(places, np.log(mu[places].numpy()), 1)[0], rel=1e-12)


def test_a_geometric_profile_has_its_factor():
    """Growing 1.5 times a block towards the input is log 1.5, in either precision, also at 1e-300."""
    profile = 1e-300 * 1.5 ** torch.arange(64, 0, -1, dtype=torch.float64)
    assert float(slope(profile)) == pytest.approx(math.log(1.5), rel=1e-12)
    assert float(slope((profile * 1e300).float())) == pytest.approx(math.log(1.5), rel=1e-6)


@pytest.mark.parametrize("mu", [[], [1.0], [0.0, 0.0], [0.0, 3.0], [float("nan")] * 3])
def test_fewer_than_two_have_no_slope(mu):
    """NaN where a line cannot be laid."""
    assert math.isnan(slope(torch.tensor(mu)))


def test_without_its_similarity_it_says_nothing():
    """A summary of what was not measured is left out."""
    assert ExpansionRate(subspace="limit").measure({"gradients.mu.plain": torch.ones(3)}) == {}


class Chain(nn.Module):
    """Four blocks; what the second one gets may be spoilt, or the gradient that it passes on; the first be detached."""

    def __init__(self, output: float = 1.0, gradient: float = 1.0, *, detached: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
        self.output, self.gradient, self.detached = output, gradient, detached

    def forward(self, x):
        for index, block in enumerate(self.blocks):
            if index == 1:
                x = (x.detach() if self.detached else x) * self.output
            x = block(x)
            if index == 1:
                x = x.clone()
                x.register_hook(lambda gradient: gradient * self.gradient)
        return x


def read(network: nn.Module) -> dict[str, list[float]]:
    with Tap(network, [Finite(of="gradients"), Finite(of="representations")]) as tap:
        network(torch.ones(5, 3)).sum().backward()
    return {name: np.asarray(value).tolist() for name, value in tap.read().items()}


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_overflow_is_told_from_a_gradient_that_never_came(bad):
    """0 from the block where it begins on, in its direction; NaN where nothing was measured; 1 elsewhere."""
    assert read(Chain())["gradients.finite"] == [1, 1, 1, 1]
    assert read(Chain(gradient=bad))["gradients.finite"] == [0, 0, 1, 1]
    assert read(Chain(gradient=bad))["representations.finite"] == [1, 1, 1, 1]
    assert read(Chain(output=bad))["representations.finite"] == [1, 0, 0, 0]
    found = read(Chain(detached=True))["gradients.finite"]
    assert found[1:] == [1, 1, 1] and math.isnan(found[0])


def test_values_equal_explicit_sums(make_case, graph_name):
    """Norm, norm of the mean row and the mean's share, from autograd's ∂L/∂Z entry by entry, to 1e-10."""
    case = make_case(graph_name, lambda: GCNConv(5, 5))
    reading = case.read(OutputError())
    rows = case.error.tolist()
    whole = math.sqrt(math.fsum(entry**2 for row in rows for entry in row))
    mean = math.sqrt(math.fsum((math.fsum(column) / len(rows)) ** 2 for column in zip(*rows, strict=True)))
    assert reading.number("errors.norm") == pytest.approx(whole, rel=1e-10)
    assert reading.number("errors.mean") == pytest.approx(mean, rel=1e-10)
    assert reading.number("errors.mean_share") == pytest.approx(math.sqrt(len(rows)) * mean / whole, rel=1e-10)


def test_the_mean_is_gone_where_the_bias_is_optimal(make_case):
    """Descending in the last bias alone takes the mean error to 0: what the probe is there to see."""
    case = make_case("connected-loops", lambda: GCNConv(5, 5))
    head = case.network.head
    assert isinstance(head, nn.Linear)
    optimizer = torch.optim.LBFGS([head.bias], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)
    before = case.read(OutputError())

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = case.loss()
        loss.backward(inputs=[head.bias])
        return loss

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    after = case.read(OutputError())
    assert before.number("errors.mean_share") > 1e-3
    assert after.number("errors.mean_share") < 1e-9
    assert np.isfinite(after.number("errors.norm"))


def test_equal_rows_are_all_mean():
    """A share of 1; of no error at all, NaN."""
    found = OutputError().measure(torch.tensor([[1.0, 2.0]] * 5))
    assert float(found["errors.mean_share"]) == pytest.approx(1)
    assert math.isnan(OutputError().measure(torch.zeros(2, 2))["errors.mean_share"])
