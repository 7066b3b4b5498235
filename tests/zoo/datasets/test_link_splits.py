"""Link splits: every link once, and nothing of val or test along the message edges."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoo.datasets import splits
from zoo.datasets.base import LinkData, LinkSplit, NodeData
from zoo.datasets.link_splits import links, shipped_links
from zoo.datasets.planetoid import cora
from zoo.datasets.prepare import prepare
from zoo.datasets.synthetic import block_model
from zoo.errors import BuildError, DataError

NODES = 15


def drawn(count: int, seed: int) -> list[tuple[int, int]]:
    """Directed edges with repetitions and loops; hypothesis needs to find no smaller ones."""
    return [(a, b) for a, b in np.random.default_rng(seed).integers(NODES, size=(count, 2)).tolist()]


edges = st.builds(drawn, st.integers(60, 110), st.integers(0, 2**31 - 1))


def graph(listed: list[tuple[int, int]], nodes: int = NODES) -> NodeData:
    """A graph of these directed edges, in their order."""
    src, dst = torch.tensor(listed, dtype=torch.int64).reshape(-1, 2).T
    labels = torch.zeros(nodes, dtype=torch.int64)
    return NodeData("toy", src.contiguous(), dst.contiguous(), torch.ones(nodes, 1), labels, 1)


def tuples(pairs: Tensor) -> list[tuple[int, int]]:
    """The pairs as Python has them."""
    return [(a, b) for a, b in pairs.T.tolist()]


def turned(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs in the other direction."""
    return {(b, a) for a, b in pairs}


@given(edges, st.integers(0, 2**31 - 1))
def test_undirected_links_are_split_once_and_do_not_leak(listed, seed):
    """Each pair is in one part; message edges are all others, both ways and loops included, in their order."""
    data = graph([*listed, *[(b, a) for a, b in listed]])
    split = links(data, seed, val=0.1, test=0.2)
    parts = [tuples(part) for part in (split.train, split.val, split.test)]
    assert sorted(pair for part in parts for pair in part) == sorted({(min(p), max(p)) for p in listed if p[0] != p[1]})
    held = {*parts[1], *parts[2]}
    held |= turned(held)
    assert tuples(split.message) == [p for p in zip(data.src.tolist(), data.dst.tolist(), strict=True) if p not in held]
    assert not split.directed


@given(edges, st.integers(0, 2**31 - 1))
def test_directed_links_stay_directed_and_do_not_leak(listed, seed):
    """Every direction is a link, those of a pair are in one part, and neither is a message edge if it is held out."""
    listed = [*listed, (0, 1)]
    data = graph([edge for edge in listed if edge != (1, 0)])
    split = links(data, seed, val=0.1, test=0.2)
    parts = [set(tuples(part)) for part in (split.train, split.val, split.test)]
    assert split.directed
    assert sorted(link for part in parts for link in part) == sorted({e for e in listed if e[0] != e[1]} - {(1, 0)})
    for part, other in ((0, 1), (0, 2), (1, 2)):
        assert not parts[part] & (parts[other] | turned(parts[other]))
    held = parts[1] | parts[2]
    assert not set(tuples(split.message)) & (held | turned(held))


@given(edges, st.integers(0, 2**31 - 1), st.integers(1, 2), st.booleans())
def test_negatives_are_different_pairs_without_an_edge(listed, seed, negatives, both):
    """As many as asked for, each once, no loop, linked in no direction that counts."""
    listed = [*listed, (0, 1)] if both else [(0, 1), *(edge for edge in listed if edge != (1, 0))]
    data = graph([*listed, *[(b, a) for a, b in listed]] if both else listed)
    split = links(data, seed, val=0.1, test=0.1, negatives=negatives)
    found = tuples(split.val_negative) + tuples(split.test_negative)
    assert split.val_negative.shape[1] == negatives * split.val.shape[1]
    assert split.test_negative.shape[1] == negatives * split.test.shape[1]
    assert len(found) == len({pair if split.directed else tuple(sorted(pair)) for pair in found})
    linked = set(zip(data.src.tolist(), data.dst.tolist(), strict=True))
    assert all(a != b and (a, b) not in linked for a, b in found)


def test_negatives_are_equally_likely():
    """Over many seeds each free pair comes as often as any other, within four standard deviations."""
    ring = [(a, (a + 1) % 10) for a in range(10)]
    data = graph([*ring, *[(b, a) for a, b in ring]], nodes=10)
    times = np.zeros((10, 10))
    for seed in range(1000):
        split = links(data, seed, val=0.2, test=0.2)
        for a, b in tuples(torch.cat([split.val_negative, split.test_negative], dim=1)):
            times[a, b] += 1
    found = times[times > 0]
    assert len(found) == 45 - 10
    mean = 1000 * 4 / 35
    assert np.abs(found - mean).max() < 4 * mean**0.5


def test_a_sparse_graph_has_the_same_rules():
    """Where negatives are drawn, not picked from a list of all free pairs: different, free, as many as asked for."""
    data = block_model(None, nodes=500, degree=6.0)  # pyright: ignore[reportArgumentType]
    split = links(data, 0, negatives=3)
    found = tuples(torch.cat([split.val_negative, split.test_negative], dim=1))
    assert len(set(found)) == len(found) == 3 * (75 + 150)
    assert not set(found) & set(zip(data.src.tolist(), data.dst.tolist(), strict=True))
    assert all(a < b for a, b in found)
    assert (split.val.shape[1], split.test.shape[1], split.train.shape[1]) == (75, 150, 1275)


def test_the_split_follows_its_seed():
    """The option comes before the run's seed, and other seeds give other links and negatives."""
    data = block_model(None, nodes=100)  # pyright: ignore[reportArgumentType]
    one, same, other = links(data, 3, seed=1), links(data, 4, seed=1), links(data, 3)
    assert torch.equal(one.val, same.val) and torch.equal(one.test_negative, same.test_negative)
    assert not torch.equal(one.val, other.val) and not torch.equal(one.val_negative, other.val_negative)
    assert one.facts["seed"] == 1 and other.facts["seed"] == 3
    assert one.facts["sizes"] == {"train": 170, "val": 10, "test": 20}


def test_cora_as_published(store):
    """Kipf & Welling's shares of Cora's 5,278 links, and loops and both directions where prepared so."""
    data = prepare(cora(store), self_loops="add", direction="both", features="none")
    split = links(data, 0)
    assert [part.shape[1] for part in (split.train, split.val, split.test)] == [4486, 264, 528]
    assert split.message.shape[1] == 2 * 4486 + 2708


def test_what_cannot_be_split_is_said():
    """A part without links, too few free pairs, and data that is no graph with all its links."""
    with pytest.raises(BuildError, match=r"split links — val 0.05 and test 0.1 of the 2 links of toy leave a part"):
        links(graph([(0, 1), (1, 2)]), 0)
    full = [(a, b) for a in range(6) for b in range(6) if a != b]
    with pytest.raises(BuildError, match=r"pairs without a link are wanted of toy, which has 0"):
        links(graph(full, nodes=6), 0, val=0.2, test=0.2)
    with pytest.raises(BuildError, match=r"split links — toy .* expected split=default"):
        links(shipped(), 0)  # pyright: ignore[reportArgumentType]


def shipped(**changes) -> LinkData:
    """A path of five nodes that ships its own split."""
    one = torch.tensor
    split = LinkSplit(
        name="time",
        train=one([[0, 1], [1, 2]]),
        val=one([[2], [3]]),
        test=one([[3], [4]]),
        val_negative=one([[0], [3]]),
        test_negative=one([[0], [4]]),
        message=one([[0, 1, 1, 2], [1, 0, 2, 1]]),
        repeats=changes.pop("repeats", ""),
    )
    src, dst = split.message
    return replace(LinkData("toy", src.clone(), dst.clone(), torch.ones(5, 1), split), **changes)


def test_a_shipped_split_spreads_along_the_prepared_edges():
    """`default` gives the data set's own links, with the loops that preparing added among the message edges."""
    data = prepare(shipped(), self_loops="add", direction="both", features="none")
    split, public = splits.default(data, 0), splits.public(data, 0)
    assert isinstance(split, LinkSplit) and isinstance(public, LinkSplit)
    assert torch.equal(public.message, split.message)
    assert torch.equal(split.val, data.links.val) and torch.equal(split.test_negative, data.links.test_negative)
    assert torch.equal(split.message, torch.stack([data.src, data.dst])) and split.message.shape[1] == 4 + 5
    assert split.why == "the data set ships it" and split.facts["repeated links"] == 0


def test_a_shipped_split_is_one():
    """`public` is that split too, and has no second one."""
    with pytest.raises(BuildError, match=r"split public — index 1, but toy ships 1 — expected 0"):
        splits.public(shipped(), 0, index=1)


@pytest.mark.parametrize("edge", [(2, 3), (3, 2), (4, 3)])
def test_a_shipped_split_that_leaks_is_refused(edge):
    """A val or test link among the edges, in either direction, is an error, unless the data set says it comes again."""
    changes = {
        end: torch.cat([old, torch.tensor([new])])
        for end, old, new in zip(("src", "dst"), shipped().links.message, edge, strict=True)
    }
    with pytest.raises(DataError, match=r"split time — 1 val and test links of toy are edges that features spread"):
        shipped_links(shipped(**changes))
    assert shipped_links(shipped(**changes, repeats="by year")).facts["repeated links"] == 1


@pytest.mark.parametrize("split", [splits.random, splits.balanced, splits.folds, splits.geom_gcn])
def test_splits_of_nodes_refuse_links(split):
    """They say what is there, and which split has it."""
    with pytest.raises(BuildError, match=r"toy has links to find, no labels — expected its own — split=default"):
        split(shipped(), 0)
