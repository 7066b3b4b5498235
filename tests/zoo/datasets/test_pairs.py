"""Pairs of nodes as numbers, against sets of tuples."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.pairs import Unlinked, among, pair_keys, pairs_of

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
    """The same seed gives the same pairs, another one others; a graph without a free pair still ends."""
    free = Unlinked(tensor([(0, 1)]), NODES, directed=False)
    assert torch.equal(free.draw(20, 5), free.draw(20, 5))
    assert not torch.equal(free.draw(20, 5), free.draw(20, 6))
    assert Unlinked(tensor([(0, 1)]), 2, directed=False).draw(3, 0).shape == (2, 3)
