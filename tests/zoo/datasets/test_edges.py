import networkx as nx
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.edges import both_directions, distinct

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60)


def tensors(pairs: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs as source and destination."""
    return torch.tensor([a for a, _ in pairs], dtype=torch.int64), torch.tensor(
        [b for _, b in pairs], dtype=torch.int64
    )


def pairs_of(src: torch.Tensor, dst: torch.Tensor) -> list[tuple[int, int]]:
    """Source and destination as pairs."""
    return list(zip(src.tolist(), dst.tolist(), strict=True))


@given(PAIRS)
def test_both_directions_is_the_undirected_graph(pairs):
    """The result is networkx's undirected graph read as a directed one, in sorted order."""
    oracle = nx.DiGraph(nx.Graph(pairs)).edges()
    assert pairs_of(*both_directions(*tensors(pairs), 10)) == sorted(oracle)


@given(PAIRS)
def test_distinct_is_the_sorted_set(pairs):
    """Repeated edges are listed once, reverses stay apart."""
    assert pairs_of(*distinct(*tensors(pairs), 10)) == sorted(set(pairs))
