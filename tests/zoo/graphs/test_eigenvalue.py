"""The second eigenvalue against dense ones."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoo
from zoo.errors import BuildError
from zoo.graphs import Graph


def graph_of(pairs: list[tuple[int, int]], nodes: int, *, loops: bool) -> Graph:
    """The undirected graph of these edges."""
    edges = [*pairs, *[(j, i) for i, j in pairs], *([(i, i) for i in range(nodes)] if loops else [])]
    src, dst = torch.tensor(edges).T
    return Graph.from_edges(src, dst, nodes)


def ring(nodes: int, *, loops: bool) -> Graph:
    return graph_of([(i, (i + 1) % nodes) for i in range(nodes)], nodes, loops=loops)


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


@given(st.integers(2, 30), st.floats(0, 1), st.booleans(), st.integers(0, 2**31 - 1))
def test_second_eigenvalue_is_that_of_the_dense_matrix(nodes, density, loops, seed):
    """On random graphs, connected or not, λ is the largest |eigenvalue| below 1."""
    upper = np.argwhere(np.triu(np.random.default_rng(seed).random((nodes, nodes)) < density, k=1))
    if not loops and not len(upper):
        return
    graph = graph_of([(int(i), int(j)) for i, j in upper], nodes, loops=loops)
    assert graph.second_eigenvalue() == pytest.approx(off_limit(graph), abs=1e-12)


@pytest.mark.parametrize("loops", ["add", "remove"])
def test_second_eigenvalue_of_a_graph_too_large_for_the_dense_way(loops):
    """The Lanczos iteration agrees with the dense matrix, on a graph of many components."""
    built = zoo.build("smoke/gcn", {"dataset.nodes": 700, "dataset.degree": 3.0, "prepare.self_loops": loops})
    assert built.graph.second_eigenvalue() == pytest.approx(off_limit(built.graph), abs=1e-10)


@pytest.mark.parametrize("nodes", [5, 300])
def test_second_eigenvalue_where_nothing_is_left_off_the_limit(nodes):
    """A complete graph with self-loops has λ = 0, the dense and the iterative way."""
    assert cliques([nodes], loops=True).second_eigenvalue() == pytest.approx(0, abs=1e-12)


def test_second_eigenvalue_without_degree_weights():
    """Norm "sum": the adjacency matrix of a ring with self-loops has 1 + 2cos(2π/n) beside 3."""
    found = ring(12, loops=True).second_eigenvalue("sum")
    assert found == pytest.approx(1 + 2 * np.cos(2 * np.pi / 12), abs=1e-9)


def test_asymmetric_propagation_is_refused():
    """Where Â and the projection need not commute there is no bound to give."""
    directed = Graph.from_edges(torch.tensor([0, 1]), torch.tensor([1, 2]), 3)
    with pytest.raises(BuildError, match="not symmetric"):
        directed.second_eigenvalue()
    with pytest.raises(BuildError, match="right"):
        ring(5, loops=True).second_eigenvalue("right")
