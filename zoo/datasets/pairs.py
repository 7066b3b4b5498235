"""Pairs of nodes as numbers: which are linked, and drawing some that are not."""

import torch
from torch import Tensor


def pair_keys(pairs: Tensor, nodes: int, *, directed: bool) -> Tensor:
    """A number for each of pairs [2, …], int64 […]: the first node times `nodes` plus the second one.

    Undirected, the lower node counts as first, so that both directions of a pair have one number.
    """
    left, right = pairs
    return left * nodes + right if directed else torch.minimum(left, right) * nodes + torch.maximum(left, right)


def pairs_of(keys: Tensor, nodes: int) -> Tensor:
    """The pairs [2, …] that numbers of `pair_keys` stand for."""
    return torch.stack([keys // nodes, keys % nodes])


def among(keys: Tensor, known: Tensor) -> Tensor:
    """Whether each of the keys is in `known`, which is sorted; bool, in the keys' shape."""
    if not len(known):
        return torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    return known[place] == keys


class Unlinked:
    """Draws pairs of different nodes that are not linked, all equally likely.

    linked: int64 [2, links]. directed: whether a link from u to v leaves the pair (v, u) free. Where hardly a pair is
    free, some that are drawn may be linked after all: after `ROUNDS` draws the last one stands.
    """

    ROUNDS = 64

    def __init__(self, linked: Tensor, nodes: int, *, directed: bool) -> None:
        self.nodes, self.directed = nodes, directed
        self.known = torch.unique(pair_keys(linked, nodes, directed=directed))

    def draw(self, count: int, seed: int) -> Tensor:
        """int64 [2, count], by PyTorch's generator on the CPU, seeded so; repetitions may occur."""
        generator = torch.Generator().manual_seed(seed)
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
