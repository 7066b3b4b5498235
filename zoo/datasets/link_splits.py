"""Splits of links: the one that a data set ships, or a random one of a graph's edges."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.datasets.base import LinkData, LinkSplit, NodeData
from zoo.datasets.pairs import among, distinct_draws, pair_keys, pairs_of
from zoo.errors import BuildError, DataError
from zoo.recipe.fields import Count, Fraction, Number


def shipped_links(data: LinkData) -> LinkSplit:
    """Return the split of the data set, with its message edges as they were prepared.

    Raises: DataError if one of its val or test links is among them, in either direction; a data set whose links come
    again by their nature (a pair that collaborates in two years) says so in `links.repeats`. And as `check_links`.
    """
    split = replace(data.links, message=torch.stack([data.src, data.dst]))
    check_links(data, split)
    message = pair_keys(split.message, data.nodes, directed=False).unique()
    held = pair_keys(torch.cat([split.val, split.test], dim=1), data.nodes, directed=False)
    repeated = int(among(held, message).sum())
    if repeated and not split.repeats:
        wrong = f"{repeated} val and test links of {data.name} are edges that features spread along"
        raise DataError(f"split {split.name} — {wrong} — expected none, in either direction")
    repeats = {"repeats": split.repeats} if split.repeats else {}
    facts = {**split.facts, **repeats, "sizes": _sizes(split), "repeated links": repeated}
    return replace(split, facts=facts, why="the data set ships it")


def links(
    data: NodeData,
    run_seed: int,
    *,
    val: Fraction = 0.05,
    test: Fraction = 0.1,
    negatives: Count = 1,
    seed: Number | None = None,
) -> LinkSplit:
    """A random share of a graph's links to validate and to test; features spread along the edges of the others.

    A link is a pair of different nodes with an edge: of a symmetric graph each pair once, lower number first; of a
    directed one every direction, with both directions of a pair in one part. Message edges are all prepared ones, loops
    too, between pairs that are not in val or test. Negative pairs are drawn uniformly, each at most once, from those
    without an edge in the whole graph.

    val, test: shares of the pairs, rounded; those of Kipf & Welling, "Variational Graph Auto-Encoders", 2016, by
    default. negatives: for each link. seed: of the split; without one, the run's seed.
    Raises: BuildError if a part would be empty, or there are too few pairs without an edge.
    """
    if not isinstance(data, NodeData):
        wants = "default, its own" if isinstance(data, LinkData) else "a split of graphs, e.g. random"
        raise BuildError(f"split links — {data.name} is no single graph with all its links — expected split={wants}")
    seed = run_seed if seed is None else seed
    nodes = data.nodes
    edges, loops = torch.stack([data.src, data.dst]), data.src == data.dst
    pairs = pair_keys(edges, nodes, directed=False)
    ways = pair_keys(edges[:, ~loops], nodes, directed=True).unique()
    directed = not torch.equal(ways, pair_keys(pairs_of(ways, nodes).flip(0), nodes, directed=True).sort().values)
    known = pairs[~loops].unique()
    order = torch.from_numpy(np.argsort(np.random.PCG64([seed, 0]).random_raw(len(known)), kind="stable"))
    ends = round(val * len(known)), round((val + test) * len(known))
    if not 0 < ends[0] < ends[1] < len(known):
        wrong = f"val {val} and test {test} of the {len(known)} links of {data.name} leave a part empty"
        raise BuildError(f"split links — {wrong} — expected at least one link for each of train, val and test")
    parts = [known[part].sort().values for part in (order[ends[1] :], order[: ends[0]], order[ends[0] : ends[1]])]
    train, val_links, test_links = (_within(ways, part, nodes) if directed else pairs_of(part, nodes) for part in parts)
    message = edges[:, ~among(pairs, torch.cat(parts[1:]).sort().values)]
    wanted = [negatives * val_links.shape[1], negatives * test_links.shape[1]]
    free = _unlinked(ways if directed else known, nodes, sum(wanted), seed, directed=directed, name=data.name)
    rule = f"random, val {val}, test {test} of the {'directed' if directed else 'undirected'} links, the rest train"
    negative = free[:, : wanted[0]], free[:, wanted[0] :]
    split = LinkSplit(
        "links", train, val_links, test_links, *negative, message, directed, family=f"links, {rule}", number=seed
    )
    return replace(split, facts={"rule": rule, "seed": seed, "negatives": negatives, "sizes": _sizes(split)})


def check_links(data: NodeData | LinkData, split: LinkSplit) -> None:
    """Refuse a split of links that cannot be trained with, or cannot be scored.

    Raises: BuildError if a part has no links, or no pairs to score them against; DataError if one of these names a node
    that is not there, or pairs belong to other numbers of links than there are.
    """
    for part, what, pairs in (
        ("train", "links", split.train),
        ("val", "links", split.val),
        ("val", "pairs without a link", split.val_negative),
        ("test", "links", split.test),
        ("test", "pairs without a link", split.test_negative),
    ):
        if not pairs.numel():
            raise BuildError(f"split {split.name} — no {part} {what} in {data.name} — expected at least one")
        for node in map(int, torch.aminmax(pairs)):  # of hundreds of millions; needs no copy
            if not 0 <= node < data.nodes:
                wrong = f"{part} {what} of {data.name} name node {node}"
                raise DataError(f"split {split.name} — {wrong} — expected 0 … {data.nodes - 1}")
    for part, links, others in (("val", split.val, split.val_negative), ("test", split.test, split.test_negative)):
        if others.ndim == 3 and others.shape[1] != links.shape[1]:
            wrong = f"{part} has pairs for {others.shape[1]} links of {data.name}"
            raise DataError(f"split {split.name} — {wrong} — expected some for each of its {links.shape[1]}")


def _within(ways: Tensor, pairs: Tensor, nodes: int) -> Tensor:
    """Return the directed links between these pairs, which are sorted."""
    links = pairs_of(ways, nodes)
    return links[:, among(pair_keys(links, nodes, directed=False), pairs)]


def _unlinked(known: Tensor, nodes: int, count: int, seed: int, *, directed: bool, name: str) -> Tensor:
    """Draw distinct pairs of different nodes that are not among the keys `known`: int64 [2, count]."""
    free = nodes * (nodes - 1) // (1 if directed else 2) - len(known)
    if count > free:
        wrong = f"{count} pairs without a link are wanted of {name}, which has {free}"
        raise BuildError(f"split links — {wrong} — expected no more — lower negatives, val or test")
    draws = np.random.PCG64([seed, 1])
    if 4 * count > free:  # hardly a draw would be new
        upper = torch.triu_indices(nodes, nodes, 1)
        every = pair_keys(torch.cat([upper, upper.flip(0)], dim=1) if directed else upper, nodes, directed=directed)
        every = every[~among(every, known)]
        chosen = np.argsort(draws.random_raw(len(every)), kind="stable")[:count]
        return pairs_of(every[torch.from_numpy(chosen)], nodes)

    def draw(missing: int) -> NDArray[np.int64]:
        raw = torch.from_numpy((draws.random_raw(missing + missing // 8 + 16) % np.uint64(nodes**2)).astype(np.int64))
        pair = pairs_of(raw, nodes)
        keys = pair_keys(pair, nodes, directed=directed)
        return keys[(pair[0] != pair[1]) & ~among(keys, known)].numpy()

    return pairs_of(torch.from_numpy(distinct_draws(count, draw)), nodes)


def _sizes(split: LinkSplit) -> dict[str, int]:
    return {"train": split.train.shape[1], "val": split.val.shape[1], "test": split.test.shape[1]}
