"""Bounds on the gradients of linear GCNs, against dense eigenvalues and networks built from recipes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.graphs import Graph
from zoo.layers.gcn import GCNConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip, NoSkip
from zoo.models.stack import Stack
from zoo.probes.bounds import bounds
from zoo.probes.presets import deep
from zoo.probes.reading import Reading
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import snapshot

PROBES = [Similarity(subspace="plain"), Similarity(subspace="limit")]


def graph_of(pairs: list[tuple[int, int]], nodes: int, *, loops: bool) -> Graph:
    """The undirected graph of these edges."""
    edges = [*pairs, *[(j, i) for i, j in pairs], *([(i, i) for i in range(nodes)] if loops else [])]
    src, dst = torch.tensor(edges).T
    return Graph.from_edges(src, dst, nodes)


def ring(nodes: int, *, loops: bool) -> Graph:
    return graph_of([(i, (i + 1) % nodes) for i in range(nodes)], nodes, loops=loops)


def star(leaves: int, *, loops: bool) -> Graph:
    return graph_of([(0, i) for i in range(1, leaves + 1)], leaves + 1, loops=loops)


def cliques(sizes: list[int], *, loops: bool) -> Graph:
    starts = np.cumsum([0, *sizes])
    pairs = [(s + i, s + j) for s, size in zip(starts, sizes, strict=False) for i in range(size) for j in range(i)]
    return graph_of([(int(i), int(j)) for i, j in pairs], sum(sizes), loops=loops)


def dense(graph: Graph) -> np.ndarray:
    """Â by its definition, without the zoo's operators."""
    a = np.zeros((graph.nodes, graph.nodes))
    np.add.at(a, (graph.structure.dst.numpy(), graph.structure.src.numpy()), 1.0)
    degree = np.maximum(a.sum(axis=1), 1)
    return a / np.sqrt(np.outer(degree, degree))


def off_limit(graph: Graph) -> float:
    """The largest |eigenvalue| of the dense Â that is not ±1."""
    eigenvalues = np.abs(np.linalg.eigvalsh(dense(graph)))
    return float(eigenvalues[eigenvalues < 1 - 1e-9].max(initial=0))


def linear(depth: int, width: int, *, residual: bool, seed: int = 0) -> Network:
    """A linear GCN in float64."""
    torch.manual_seed(seed)
    skip = AddSkip if residual else NoSkip
    return Stack(
        width, width, (), conv=GCNConv, residual=skip, depth=depth, width=width, activation=nn.Identity
    ).double()


def gradients(network: Network, graph: Graph, cotangent: torch.Tensor) -> Reading:
    """What the probes read where ∂L/∂Z is `cotangent`."""
    x = torch.randn(cotangent.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return snapshot(network, PROBES, lambda: (network(graph, x) * cotangent).sum())


def noise(*shape: int, seed: int = 2) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def norms(network: Network) -> list[float]:
    """‖W_l‖_2 of blocks 2 … L."""
    return [float(np.linalg.norm(w.detach().numpy(), 2)) for w in network.block_matrices().values()][1:]


def set_weights(network: Network, w: float) -> None:
    """W_l = w·I in all blocks and the identity as head, so that G_L is ∂L/∂Z."""
    with torch.no_grad():
        for matrix in network.block_matrices().values():
            matrix.copy_(w * torch.eye(len(matrix), dtype=torch.float64))
        head = dict(network.head.named_parameters())["linear.weight"]
        head.copy_(torch.eye(len(head)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("normalizer", ["none", {"name": "frobenius", "c": 0.5}])
@pytest.mark.parametrize("residual", ["none", "add"])
def test_bounds_hold_for_a_built_network(residual, normalizer, seed):
    """Linear GCN and residual GCN on block models, cross-entropy: every block's μ lies between the bounds."""
    overrides = {
        "model": {"name": "stack", "conv": "gcn", "residual": residual, "activation": "identity", "depth": 12},
        "normalizer": normalizer,
        "dataset.seed": seed,
        "dataset.degree": 3.0,
    }
    built = zoo.build("smoke/gcn", overrides, seed=seed)
    network, x = built.network.double(), built.data.features.double()
    read = snapshot(
        network,
        deep(),
        lambda: F.cross_entropy(network(built.graph, x)[built.split.train], built.data.labels[built.split.train]),
    )
    mu = read["gradients.mu.limit"]
    lower, upper = bounds(
        mu[-1], list(read["weights.spectral"][1:]), off_limit(built.graph), residual=residual == "add"
    )
    assert mu.min() > 0
    assert np.all(lower * (1 - 1e-9) <= mu)
    assert np.all(mu <= upper * (1 + 1e-9))
    if residual == "add" and normalizer != "none":
        assert lower.min() > 0.01 * mu.min()  # not the empty statement that μ ≥ 0


@settings(max_examples=30)
@given(st.integers(2, 12), st.floats(0.1, 1), st.booleans(), st.booleans(), st.floats(0, 3), st.integers(0, 2**31 - 1))
def test_bounds_hold_on_random_graphs(nodes, density, loops, residual, scale, seed):
    """Any undirected graph, weights of any size, any ∂L/∂Z."""
    upper_half = np.argwhere(np.triu(np.random.default_rng(seed).random((nodes, nodes)) < density, k=1))
    if not len(upper_half):
        return
    graph = graph_of([(int(i), int(j)) for i, j in upper_half], nodes, loops=loops)
    network = linear(5, 3, residual=residual, seed=seed)
    with torch.no_grad():
        for matrix in network.block_matrices().values():
            matrix.mul_(scale)
    mu = gradients(network, graph, noise(nodes, 3, seed=seed))["gradients.mu.limit"]
    lower, upper = bounds(mu[-1], norms(network), off_limit(graph), residual=residual)
    slack = 1e-10 * upper.max()
    assert np.all(lower - slack <= mu)
    assert np.all(mu <= upper + slack)


@pytest.mark.parametrize("w", [0.5, 1.7])
@pytest.mark.parametrize("residual", [False, True])
def test_upper_bound_is_attained_by_an_eigenvector(residual, w):
    """Ring with self-loops, W = w·I, G_L in the second eigenvector: μ_S(G_l) is the upper bound itself."""
    graph, wave = ring(10, loops=True), np.cos(2 * np.pi * np.arange(10) / 10)
    network = linear(8, 2, residual=residual)
    set_weights(network, w)
    mu = gradients(network, graph, torch.from_numpy(np.outer(wave, [1.0, -2.0])))["gradients.mu.limit"]
    exact = (1 + 2 * np.cos(2 * np.pi / 10)) / 3
    np.testing.assert_allclose(mu, bounds(mu[-1], [w] * 7, exact, residual=residual)[1], rtol=1e-12)
    assert mu[-1] == pytest.approx(np.linalg.norm(np.outer(wave, [1.0, -2.0])))


def test_lower_bound_is_attained_by_an_eigenvector():
    """With W = −w·I and a skip the second eigenvector shrinks as fast as anything can: the lower bound."""
    graph, wave = ring(10, loops=True), np.cos(2 * np.pi * np.arange(10) / 10)
    network = linear(8, 1, residual=True)
    set_weights(network, -0.6)
    mu = gradients(network, graph, torch.from_numpy(wave[:, None]))["gradients.mu.limit"]
    exact = (1 + 2 * np.cos(2 * np.pi / 10)) / 3
    np.testing.assert_allclose(mu, bounds(mu[-1], [0.6] * 7, exact, residual=True)[0], rtol=1e-12)


def test_bounds_of_no_block_further_back():
    """One block: both bounds are μ_S(G_L); and a bound that leaves float64 is infinite, without a warning."""
    for bound in bounds(3.0, [], 0.9, residual=True):
        np.testing.assert_array_equal(bound, [3.0])
    lower, upper = bounds(3.0, [10.0] * 1000, 0.9, residual=True)
    assert upper[0] == np.inf
    assert lower[0] == 0


def test_a_complete_graph_smooths_at_once():
    """Complete graph with self-loops: Â is a projection onto S, so μ_S(G_l) is 0 after one block, and G_l is not."""
    read = gradients(linear(4, 3, residual=False), cliques([7], loops=True), noise(7, 3))
    assert read["gradients.ratio.limit"][-1] > 0.5
    assert read["gradients.ratio.limit"][:-1].max() < 1e-14
    assert read["gradients.norm"].min() > 1e-3


@pytest.mark.parametrize(
    ("graph", "eigenvalue"),
    [(ring(12, loops=False), np.cos(2 * np.pi / 12)), (star(6, loops=False), 0.0)],
    ids=["ring", "star"],
)
def test_bipartite_contrast_survives(graph, eigenvalue):
    """Eigenvalue −1 keeps the two colour classes apart: plain μ stays, what lies off the two-group subspace goes."""
    assert graph.second_eigenvalue() == pytest.approx(eigenvalue, abs=1e-12)
    assert np.linalg.eigvalsh(dense(graph))[0] == pytest.approx(-1)
    network = linear(200, 3, residual=False)
    set_weights(network, 1.0)
    read = gradients(network, graph, noise(graph.nodes, 3))
    assert read["gradients.ratio.plain"].min() > 0.3
    assert read["gradients.ratio.limit"][0] < 1e-10
    upper = bounds(read["gradients.mu.limit"][-1], [1.0] * 199, eigenvalue, residual=False)[1]
    assert np.all(read["gradients.mu.limit"] <= upper + 1e-12)


def test_disconnected_cliques_stay_apart():
    """Two cliques of one size: all gradients of a clique become equal, those of the two do not."""
    graph = cliques([5, 5], loops=False)
    network = linear(60, 3, residual=False)
    set_weights(network, 1.0)
    read = gradients(network, graph, noise(10, 3))
    assert graph.second_eigenvalue() == pytest.approx(0.25)
    assert read["gradients.ratio.plain"][0] > 0.3
    assert read["gradients.ratio.limit"][0] < 1e-14
