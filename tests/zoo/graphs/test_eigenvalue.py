"""The second eigenvalue against NetworkX's matrices and closed forms."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import BuildError
from zoo.graphs import Graph


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
