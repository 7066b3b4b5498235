"""`c: auto`: the bound of a weight normaliser, chosen from the gradient profile at initialisation.

The right c shrinks with depth and grows with width: on Cora, 64 residual blocks train with c from 0.25 to 1, 512 need
0.06. What stays the same is the profile: the gradient must reach the first block about as large and as varied as it
leaves the last one.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from zoo.layers.network import Network
from zoo.normalizers.base import BoundedNormalizer
from zoo.probes.reading import Reading
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import snapshot

_SMALLEST, _LARGEST = 1e-4, 1e3
_NARROW = 1.02
# Without skips the ratio goes with c^depth: this many halvings of a factor 4 reach the band at a thousand blocks.
_HALVINGS = 12


@dataclass(frozen=True)
class Calibrated:
    """The c that was found, the ratio μ(G_1)/μ(G_L) it gives, whether that lies in the band, and every trial."""

    c: float
    ratio: float
    inside: bool
    trials: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        if math.isnan(self.ratio):
            return (
                f"c = {self.c:.4g} stays: no gradient reaches the blocks, so there is no ratio to bring into the band"
            )
        verdict = "inside" if self.inside else "the nearest that could be had, outside"
        return f"c = {self.c:.4g} gives μ(G_1)/μ(G_L) = {self.ratio:.3g}, {verdict} the band"


def calibrate(
    network: Network,
    bounded: Sequence[BoundedNormalizer],
    loss: Callable[[], Tensor],
    *,
    low: float,
    high: float,
    passes: int = 1,
) -> Calibrated:
    """Set the largest c whose ratio μ(G_1)/μ(G_L) stays in [low, high], and return what was tried.

    The ratio grows with c. It is bracketed by factors of 4 from c = 1, then bisected on a log scale towards `high`, in
    20 trials at most: the larger c, the more each block can do. Of a single block the ratio is 1 whatever c is, which
    then stays 1; so it does where all trials give the same ratio, as with features of zeros, and where no gradient
    reaches the blocks (the ratio is then NaN). Each trial starts from the weights that the network came with and lets
    it project them, so that c counts in either mode of a normaliser; the network is left projected with the c that was
    found.

    bounded: the normalisers whose c is `auto`; all get the same c. passes: backward passes averaged per trial, the
    first with the random state as it is, each of the others with dropout masks of its own, the same in every trial.
    """
    matrices = network.block_matrices()
    initial = {name: matrix.detach().clone() for name, matrix in matrices.items()}
    trials: dict[float, float] = {}

    def bound(c: float) -> None:
        with torch.no_grad():
            for normalizer in bounded:
                normalizer.c.fill_(c)
            for name, matrix in matrices.items():
                matrix.copy_(initial[name])
        network.project()

    def ratio_at(c: float) -> float:
        bound(c)
        draws = [partial(_seeded, loss, number) for number in range(passes)]
        trials[c] = _mean([snapshot(network, [Similarity()], draw) for draw in draws])
        return trials[c]

    if math.isnan(ratio_at(1.0)) or len(network.blocks) == 1:
        below = above = 1.0
    else:
        below, above = _bracket(ratio_at, high, trials[1.0])
        if trials[1.0] <= high and all(math.isclose(ratio, trials[1.0], rel_tol=1e-6) for ratio in trials.values()):
            below = above = 1.0
    for _ in range(_HALVINGS):
        if below == above or (above / below < _NARROW and trials[below] >= low):
            break
        middle = math.sqrt(below * above)
        if ratio_at(middle) <= high:
            below = middle
        else:
            above = middle
    bound(below)
    ratio = trials[below]
    return Calibrated(below, ratio, low <= ratio <= high, tuple(trials.items()))


def _bracket(ratio_at: Callable[[float], float], high: float, at_one: float) -> tuple[float, float]:
    """Two values of c, a factor 4 apart, between which the ratio crosses `high`; equal ends where it never does."""
    grows = at_one <= high
    c, factor = 1.0, 4.0 if grows else 0.25
    while _SMALLEST < c < _LARGEST:
        if (ratio_at(c * factor) > high) == grows:
            return min(c, c * factor), max(c, c * factor)
        c *= factor
    return c, c


def _seeded(loss: Callable[[], Tensor], number: int) -> Tensor:
    """The loss with the random numbers of one pass; whoever calls it puts the random state back."""
    if number:
        torch.manual_seed((torch.initial_seed() + number) % 2**63)
    return loss()


def _mean(readings: Sequence[Reading]) -> float:
    """Geometric mean of the ratios; overflow (infinity, NaN) is read as expansion. NaN where no gradient arrives."""
    if not any(reading.first or reading.last for reading in readings):
        return math.nan
    ratios = [reading.ratio for reading in readings]
    if not all(map(math.isfinite, ratios)):
        return math.inf
    return math.exp(statistics.fmean(math.log(ratio) if ratio > 0 else -math.inf for ratio in ratios))
