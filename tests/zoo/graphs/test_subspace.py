"""Subspaces of smooth features against eigenvectors of the dense propagation matrix."""

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import BuildError
from zoo.graphs import Graph, Norm
from zoo.graphs.subspace import Constant, Groups, Subspace, limit_subspace

NORMS: tuple[Norm, ...] = ("both", "right", "left", "sum")
TRIANGLE, TAIL, SQUARE, PATH = [(0, 1), (1, 2), (2, 0)], [(2, 3), (3, 4)], [(5, 6), (6, 7), (7, 8), (8, 5)], [(9, 10)]
EVERY = [(node, node) for node in range(12)]
SOME = [(5, 5), (10, 10)]

# Undirected edges, and how many vectors of modulus 1 they have; node 11 is isolated where nothing joins it.
GRAPHS: dict[str, tuple[list[tuple[int, int]], int]] = {
    "connected-loops": ([*TRIANGLE, *TAIL, *SQUARE, *PATH, (4, 5), (8, 9), (10, 11), *EVERY], 1),
    "connected": ([*TRIANGLE, *TAIL, *SQUARE, *PATH, (4, 5), (8, 9), (10, 11)], 1),
    "components-loops": ([*TRIANGLE, *TAIL, *SQUARE, *PATH, *EVERY], 4),
    "isolated": ([*TRIANGLE, *TAIL], 1),
    "bipartite": ([*SQUARE, (8, 9), (9, 10), (9, 11)], 2),
    "bipartite-loops": ([*SQUARE, *PATH, *SOME], 2),
    "mixed": ([*TRIANGLE, *TAIL, *SQUARE, *PATH, *SOME[:1]], 4),
    "doubled": ([*TRIANGLE, *TAIL, (0, 1), (2, 3), *SQUARE, (5, 6)], 3),
}


def graph(name: str) -> Graph:
    """Both directions of each edge; loops once."""
    edges, _ = GRAPHS[name]
    both = [*edges, *((v, u) for u, v in edges if u != v)]
    src, dst = (torch.tensor(ends, dtype=torch.int64) for ends in zip(*both, strict=True))
    return Graph.from_edges(src, dst, 12)


def propagation(g: Graph, norm: Norm, backward: bool) -> np.ndarray:
    """Â or Âᵀ, dense, edge by edge from the definition."""
    src, dst = (ends.tolist() for ends in g.dgl.edges(order="eid"))
    weight = {
        "both": lambda u, v: (dst.count(v) * src.count(u)) ** -0.5,
        "right": lambda u, v: 1 / dst.count(v),
        "left": lambda u, v: 1 / src.count(u),
        "sum": lambda u, v: 1.0,
    }[norm]
    dense = np.zeros((g.nodes, g.nodes))
    for u, v in zip(src, dst, strict=True):
        dense[v, u] += weight(u, v)
    return dense.T if backward else dense


def pieces(dense: np.ndarray) -> list[np.ndarray]:
    """Nodes of each component, by walking as far as one can."""
    reach = np.linalg.matrix_power(np.eye(len(dense)) + (dense != 0) + (dense.T != 0), len(dense)) > 0
    return [np.flatnonzero(row) for row in np.unique(reach, axis=0)]


def leading(dense: np.ndarray) -> np.ndarray:
    """Projection onto the eigenvectors whose eigenvalue has the largest modulus in its component, if above 0."""
    columns: list[np.ndarray] = []
    for nodes in pieces(dense):
        values, vectors = np.linalg.eig(dense[np.ix_(nodes, nodes)])
        radius = np.abs(values).max()
        for value, vector in zip(values, vectors.T, strict=True):
            if radius > 0 and abs(abs(value) - radius) < 1e-9:
                assert abs(vector.imag).max() < 1e-12
                whole = np.zeros(len(dense))
                whole[nodes] = vector.real
                columns.append(whole)
    q, _ = np.linalg.qr(np.stack(columns, axis=1))
    return q @ q.T


def projection(subspace: Subspace, nodes: int = 12) -> np.ndarray:
    """The projection that a subspace applies, from what it leaves of unit vectors."""
    off, _ = subspace.split(torch.eye(nodes, dtype=torch.float64))
    return np.eye(nodes) - off.numpy()


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", list(GRAPHS))
def test_limit_is_the_span_of_the_leading_eigenvectors(name, norm, backward):
    """Of the dense Â or Âᵀ: those of eigenvalues of modulus 1, for plain sums of the largest in each component."""
    g = graph(name)
    dense = propagation(g, norm, backward)
    ours = projection(g.subspace("limit", norm, backward=backward))
    wanted = leading(dense)
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-11)
    assert round(np.trace(ours)) == GRAPHS[name][1]
    if norm != "sum":
        values = np.linalg.eigvals(dense)
        assert (np.abs(np.abs(values) - 1) < 1e-9).sum() == GRAPHS[name][1], "modulus 1 it is"


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", list(GRAPHS))
def test_limit_is_invariant_under_propagation(name, norm, backward):
    """What the graph's own operator (or its gradient) makes of features in the subspace lies in it again."""
    g = graph(name)
    subspace = g.subspace("limit", norm, backward=backward)
    inside = torch.from_numpy(projection(subspace)) @ torch.randn(12, 3, dtype=torch.float64)
    x = torch.zeros_like(inside, requires_grad=True)
    if backward:
        (moved,) = torch.autograd.grad(g.propagate(x, norm), x, inside)
    else:
        moved = g.propagate(inside, norm)
    off, within = subspace.split(moved)
    assert off.norm() <= 1e-11 * inside.norm()
    assert within.norm() > 0.1 * inside.norm(), "it is not mapped to 0"


@pytest.mark.parametrize("name", ["plain", "degree", "limit"])
@pytest.mark.parametrize("graph_name", list(GRAPHS))
def test_pythagoras(graph_name, name):
    """‖X‖² is the square off the subspace and that of the coordinates within; both parts are orthogonal."""
    x = torch.randn(12, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    subspace = graph(graph_name).subspace(name)
    off, within = subspace.split(x)
    torch.testing.assert_close(off.square().sum() + within.square().sum(), x.square().sum(), rtol=1e-13, atol=0)
    p = projection(subspace)
    np.testing.assert_allclose(p @ p, p, rtol=0, atol=1e-13)
    np.testing.assert_allclose(p, p.T, rtol=0, atol=1e-13)


def test_plain_and_degree_are_one_vector_each():
    """The all-ones vector whatever the components, and √d with self-loops counted and isolated nodes at 0."""
    g = graph("mixed")
    np.testing.assert_allclose(projection(g.subspace("plain")), np.full((12, 12), 1 / 12), atol=1e-15)
    degree = np.bincount(g.dgl.edges(order="eid")[1].numpy(), minlength=12)
    root = np.sqrt(degree / degree.sum())
    np.testing.assert_allclose(projection(g.subspace("degree")), np.outer(root, root), atol=1e-14)
    assert degree[11] == 0


def test_float32_is_split_in_float32():
    """The result has the input's type, and its digits."""
    x = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    subspace = graph("mixed").subspace("limit")
    for ours, wide in zip(subspace.split(x), subspace.split(x.double()), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, wide.float(), rtol=1e-5, atol=1e-6)


def test_without_edges_everything_lies_off():
    """Propagation maps all features to 0 then: its limit subspace is empty."""
    empty = torch.zeros(0, dtype=torch.int64)
    x = torch.randn(3, 2, dtype=torch.float64)
    for norm in NORMS:
        off, within = Graph.from_edges(empty, empty, 3).subspace("limit", norm).split(x)
        assert torch.equal(off, x)
        assert not within.any()


@pytest.mark.parametrize("loops", [False, True])
def test_components_of_a_directed_graph_are_the_weakly_connected(loops):
    """A directed path makes one group with loops and its two colours without, whichever way its edges point."""
    src, dst = torch.tensor([0, 2, 2]), torch.tensor([1, 1, 3])
    more = torch.arange(4 if loops else 0)
    src, dst = torch.cat([src, more]), torch.cat([dst, more])
    group = limit_subspace(Graph.from_edges(src, dst, 4).structure, "both", backward=False).group.tolist()
    assert len(set(group)) == (1 if loops else 2)
    assert group[0] == group[2]
    assert group[1] == group[3]


def test_no_propagation_has_the_plain_limit():
    """Where nodes keep to themselves, limit means plain."""
    assert isinstance(graph("mixed").subspace("limit", None), Constant)


def test_subspaces_are_made_once():
    """The same object for the same question, another one backwards."""
    g = graph("mixed")
    assert g.subspace("limit", "right") is g.subspace("limit", "right")
    assert g.subspace("limit", "right") is not g.subspace("limit", "right", backward=True)


def test_a_sampled_block_has_no_subspace():
    """Degrees within a sample mean nothing."""
    from zoo.dgl_backend import dgl

    block: Any = dgl.to_block(graph("mixed").dgl)
    with pytest.raises(BuildError, match="sampled block"):
        Graph(block).subspace("plain")


def test_groups_take_proportions_only():
    """Scaling the weights of a group does not change what lies off it; a group of weight 0 contains nothing."""
    group, weight = torch.tensor([0, 0, 1, 1, 2]), torch.tensor([1.0, 2, 3, 4, 0])
    scale = torch.tensor([7.0, 7, 0.1, 0.1, 1])
    one, other = Groups(group, weight), Groups(group, weight * scale)
    np.testing.assert_allclose(projection(one, 5), projection(other, 5), atol=1e-15)
    u, v = np.array([1, 2, 0, 0, 0]) / 5**0.5, np.array([0, 0, 3, 4, 0]) / 5
    np.testing.assert_allclose(projection(one, 5), np.outer(u, u) + np.outer(v, v), atol=1e-15)


def graph_and_lambda(drawn: nx.Graph, *, loops: bool) -> tuple[Graph, float]:
    """The graph, and the largest |eigenvalue| of its normalised adjacency matrix that is not ±1, by NetworkX."""
    if loops:
        drawn.add_edges_from((node, node) for node in drawn)
    adjacency = nx.to_numpy_array(drawn)
    src, dst = (torch.from_numpy(ends) for ends in np.nonzero(adjacency))
    scale = np.maximum(adjacency.sum(axis=1), 1) ** -0.5
    eigenvalues = np.abs(np.linalg.eigvalsh(scale[:, None] * adjacency * scale))
    return Graph.from_edges(src, dst, len(adjacency)), float(eigenvalues[eigenvalues < 1 - 1e-9].max(initial=0))


@given(st.integers(2, 30), st.floats(0, 1), st.booleans(), st.integers(0, 2**31 - 1))
def test_second_eigenvalue_is_that_of_the_dense_matrix(nodes, density, loops, seed):
    """On random graphs, connected or not, with edges or without, λ is the largest |eigenvalue| below 1."""
    graph, expected = graph_and_lambda(nx.gnp_random_graph(nodes, density, seed=seed), loops=loops)
    assert graph.second_eigenvalue() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loops", [True, False])
def test_second_eigenvalue_of_a_graph_too_large_for_the_dense_way(loops):
    """The Lanczos iteration agrees with the dense matrix, on a graph of many components."""
    graph, expected = graph_and_lambda(nx.gnp_random_graph(700, 3 / 700, seed=0), loops=loops)
    assert graph.second_eigenvalue() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("nodes", [5, 300])
def test_second_eigenvalue_where_nothing_is_left_off_the_limit(nodes):
    """A complete graph with self-loops has λ = 0, the dense and the iterative way."""
    graph, _ = graph_and_lambda(nx.complete_graph(nodes), loops=True)
    assert graph.second_eigenvalue() == pytest.approx(0, abs=1e-12)


def test_second_eigenvalue_without_degree_weights():
    """Norm "sum": the adjacency matrix of a ring with self-loops has 1 + 2cos(2π/n) beside 3."""
    graph, _ = graph_and_lambda(nx.cycle_graph(12), loops=True)
    assert graph.second_eigenvalue("sum") == pytest.approx(1 + 2 * np.cos(2 * np.pi / 12), abs=1e-9)


def test_asymmetric_propagation_is_refused():
    """Where Â and the projection need not commute there is no bound to give."""
    directed = Graph.from_edges(torch.tensor([0, 1]), torch.tensor([1, 2]), 3)
    with pytest.raises(BuildError, match="not symmetric"):
        directed.second_eigenvalue()
    undirected, _ = graph_and_lambda(nx.cycle_graph(5), loops=True)
    with pytest.raises(BuildError, match="right"):
        undirected.second_eigenvalue("right")
