"""Pairs of nodes, edge lists, and draws of what is not linked."""

from collections import Counter

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.pairs import Unlinked, among, both_directions, distinct, pair_keys, pairs_of
from zoo.errors import BuildError

NODES = 12
node = st.integers(0, NODES - 1)
pairs = st.lists(st.tuples(node, node), max_size=40)


def tensor(listed: list[tuple[int, int]]) -> torch.Tensor:
    """int64 [2, pairs]."""
    return torch.tensor(listed, dtype=torch.int64).reshape(-1, 2).T


@given(pairs)
def test_keys_are_numbers_of_pairs(listed):
    """Directed they read back to the pair; undirected, to the pair with the lower node first."""
    keys = pair_keys(tensor(listed), NODES, directed=True)
    assert torch.equal(pairs_of(keys, NODES), tensor(listed))
    keys = pair_keys(tensor(listed), NODES, directed=False)
    assert torch.equal(pairs_of(keys, NODES), tensor([(min(pair), max(pair)) for pair in listed]))


@given(st.lists(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_among_is_membership(keys, known):
    """As Python's `in`, for an empty set and numbers beyond the last one too."""
    found = among(torch.tensor(keys, dtype=torch.int64), torch.tensor(sorted(known), dtype=torch.int64))
    assert found.tolist() == [key in known for key in keys]


@given(pairs, st.booleans(), st.integers(0, 2**31 - 1))
def test_drawn_pairs_are_free(listed, directed, seed):
    """No loop, no linked pair; undirected, in neither direction."""
    drawn = Unlinked(tensor(listed), NODES, directed=directed).draw(200, seed).T.tolist()
    linked = set(listed) | (set() if directed else {(b, a) for a, b in listed})
    assert len(drawn) == 200
    assert all(a != b and (a, b) not in linked for a, b in drawn)


def test_free_pairs_are_equally_likely():
    """Each free pair of a directed graph comes as often as any other, within four standard deviations."""
    linked = tensor([(a, b) for a in range(NODES) for b in range(NODES) if (a + b) % 3])
    count = 40_000
    drawn = Unlinked(linked, NODES, directed=True).draw(count, 0)
    free = {(a, b) for a in range(NODES) for b in range(NODES) if (a + b) % 3 == 0 and a != b}
    times = pair_keys(drawn, NODES, directed=True).bincount()
    times = times[times > 0]
    assert len(times) == len(free)
    mean = count / len(free)
    assert (times - mean).abs().max() < 4 * mean**0.5


def test_a_seed_says_what_is_drawn():
    """The same seed gives the same pairs, another one others."""
    free = Unlinked(tensor([(0, 1)]), NODES, directed=False)
    assert torch.equal(free.draw(20, 5), free.draw(20, 5))
    assert not torch.equal(free.draw(20, 5), free.draw(20, 6))


@pytest.mark.parametrize("directed", [False, True])
def test_a_graph_in_which_hardly_a_pair_is_free_gives_those(directed):
    """Of a graph with two free pairs both are drawn, as often, in both directions, and no other one."""
    left = {(0, 1), (2, 3)}
    every = [(u, v) for u in range(NODES) for v in range(NODES)]
    linked = [(u, v) for u, v in every if not ({(u, v)} if directed else {(u, v), (v, u)}) & left]
    drawn = Unlinked(tensor(linked), NODES, directed=directed).draw(400, 0)
    counts = Counter(map(tuple, drawn.T.tolist()))
    expected = left if directed else left | {(v, u) for u, v in left}
    assert counts.keys() == expected
    assert all(abs(count - 400 / len(expected)) < 4 * (400 / len(expected)) ** 0.5 for count in counts.values())


def test_a_complete_graph_is_refused():
    """Where every pair is linked there is nothing to learn from: an error, in place of links taken for others."""
    with pytest.raises(BuildError, match="all 66 pairs of different nodes are linked"):
        Unlinked(tensor([(u, v) for u in range(NODES) for v in range(NODES)]), NODES, directed=False)


PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60)


def tensors(pairs: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs as source and destination."""
    return torch.tensor([a for a, _ in pairs], dtype=torch.int64), torch.tensor(
        [b for _, b in pairs], dtype=torch.int64
    )


def listed(src: torch.Tensor, dst: torch.Tensor) -> list[tuple[int, int]]:
    """Source and destination as pairs."""
    return list(zip(src.tolist(), dst.tolist(), strict=True))


@given(PAIRS)
def test_both_directions_is_the_undirected_graph(pairs):
    """The result is networkx's undirected graph read as a directed one, in sorted order."""
    oracle = nx.DiGraph(nx.Graph(pairs)).edges()
    assert listed(*both_directions(*tensors(pairs), 10)) == sorted(oracle)


@given(PAIRS)
def test_distinct_is_the_sorted_set(pairs):
    """Repeated edges are listed once, reverses stay apart."""
    assert listed(*distinct(*tensors(pairs), 10)) == sorted(set(pairs))
