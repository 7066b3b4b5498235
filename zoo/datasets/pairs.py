"""Pairs of nodes: edge lists, pairs as numbers, and draws of pairs that are not linked."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import BuildError


def pair_keys(pairs: Tensor, nodes: int, *, directed: bool) -> Tensor:
    """Return a number for each of pairs [2, …], int64 […]: the first node times `nodes` plus the second one.

    Undirected, the lower node counts as first, so that both directions of a pair have one number.
    """
    left, right = pairs
    return left * nodes + right if directed else torch.minimum(left, right) * nodes + torch.maximum(left, right)


def pairs_of(keys: Tensor, nodes: int) -> Tensor:
    """Return the pairs [2, …] that numbers of `pair_keys` stand for."""
    return torch.stack([keys // nodes, keys % nodes])


def among(keys: Tensor, known: Tensor) -> Tensor:
    """Tell which of the keys are in `known`, which is sorted; bool, in the keys' shape."""
    if not len(known):
        return torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    return known[place] == keys


def both_directions(src: Tensor, dst: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Return each edge and its reverse once, sorted by source, then destination; a loop stays one edge."""
    return distinct(torch.cat([src, dst]), torch.cat([dst, src]), nodes)


def distinct(src: Tensor, dst: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Return every edge once, sorted by source and then by destination."""
    keys = torch.unique(src * nodes + dst)
    return keys // nodes, keys % nodes


def distinct_draws(count: int, draw: Callable[[int], NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the first `count` distinct numbers that `draw` gives, which is called with how many are missing.

    A number that is drawn again is dropped where it comes second, which favours none.
    """
    drawn = np.empty(0, dtype=np.int64)
    while True:
        _, first = np.unique(drawn, return_index=True)
        drawn = drawn[np.sort(first)]
        if len(drawn) >= count:
            return drawn[:count]
        drawn = np.concatenate([drawn, draw(count - len(drawn))])


class Unlinked:
    """Draws of pairs of different nodes that are not linked, all equally likely.

    linked: int64 [2, links]. directed: whether a link from u to v leaves the pair (v, u) free. Where fewer than one
    pair in `SCARCE` is free, the free ones are listed, which takes memory for as many pairs as are linked. Else one
    that is linked after all is drawn again; the chance that one is left after `ROUNDS` draws is 2e-4.
    Raises: BuildError if no pair is free.
    """

    ROUNDS, SCARCE = 64, 8

    def __init__(self, linked: Tensor, nodes: int, *, directed: bool) -> None:
        self.nodes, self.directed = nodes, directed
        self.known = torch.unique(pair_keys(linked, nodes, directed=directed))
        loops = int((self.known // nodes == self.known % nodes).sum())
        pairs = nodes * (nodes - 1) // (1 if directed else 2)
        free = pairs - (len(self.known) - loops)
        if not free:
            raise BuildError(
                f"task links — all {pairs:,} pairs of different nodes are linked — expected some that are not, to "
                "learn from — a graph with fewer edges, or another task"
            )
        self.free: Tensor | None = None
        if free * self.SCARCE < pairs:
            keys = torch.arange(nodes**2)
            left, right = pairs_of(keys, nodes)
            keys = keys[left != right if directed else left < right]
            self.free = keys[~among(keys, self.known)]

    def draw(self, count: int, seed: int) -> Tensor:
        """Return int64 [2, count] by PyTorch's CPU generator with this seed; repetitions may occur."""
        generator = torch.Generator().manual_seed(seed)
        if self.free is not None:
            drawn = self.free[torch.randint(len(self.free), (count,), generator=generator)]
            ends = pairs_of(drawn, self.nodes)
            if self.directed:
                return ends
            turned = torch.randint(2, (count,), generator=generator).bool()
            return torch.where(turned, ends.flip(0), ends)
        pairs = torch.randint(self.nodes, (2, count), generator=generator)
        wrong = self._wrong(pairs).nonzero().flatten()
        for _ in range(self.ROUNDS):
            if not len(wrong):
                break
            again = torch.randint(self.nodes, (2, len(wrong)), generator=generator)
            pairs[:, wrong] = again
            wrong = wrong[self._wrong(again)]
        return pairs

    def _wrong(self, pairs: Tensor) -> Tensor:
        left, right = pairs
        return (left == right) | among(pair_keys(pairs, self.nodes, directed=self.directed), self.known)
