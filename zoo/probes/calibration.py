"""`c: auto`: the bound of a weight normaliser, chosen from the gradient profile at initialisation.

The right c shrinks with depth and grows with width: on Cora, 64 residual blocks train with c from 0.25 to 1, 512 need
0.06. What stays the same is the profile: the gradient must reach the first block about as large and as varied as it
leaves the last one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.normalizers.base import BoundedNormalizer
from zoo.probes.profile import gradient_profile

_SMALLEST, _LARGEST = 1e-4, 1e3


@dataclass(frozen=True)
class Calibrated:
    """The c that was found, the ratio μ(G_1)/μ(G_L) it gives, whether that lies in the band, and every trial."""

    c: float
    ratio: float
    inside: bool
    trials: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        verdict = "inside" if self.inside else "the nearest that could be had, outside"
        return f"c = {self.c:.4g} gives μ(G_1)/μ(G_L) = {self.ratio:.3g}, {verdict} the band"


def calibrate(
    network: nn.Module,
    blocks: nn.ModuleList,
    bounded: Sequence[BoundedNormalizer],
    loss: Callable[[], Tensor],
    *,
    low: float,
    high: float,
    passes: int = 1,
) -> Calibrated:
    """Set the largest c whose ratio μ(G_1)/μ(G_L) stays in [low, high], and return what was tried.

    The ratio grows with c. It is bracketed by factors of 4 from c = 1, then bisected on a log scale towards `high`:
    the larger c, the more each block can do. bounded: the normalisers whose c is `auto`; all get the same c.
    """
    trials: list[tuple[float, float]] = []

    def ratio_at(c: float) -> float:
        for normalizer in bounded:
            with torch.no_grad():
                normalizer.c.fill_(c)
        ratios = [gradient_profile(network, blocks, loss).ratio for _ in range(passes)]
        ratio = math.exp(sum(map(_log, ratios)) / passes)
        trials.append((c, ratio))
        return ratio

    below, above = _bracket(ratio_at, high)
    for _ in range(12):
        if above / below < 1.02:
            break
        middle = math.sqrt(below * above)
        if ratio_at(middle) <= high:
            below = middle
        else:
            above = middle
    ratio = ratio_at(below)
    return Calibrated(below, ratio, low <= ratio <= high, tuple(trials))


def _bracket(ratio_at: Callable[[float], float], high: float) -> tuple[float, float]:
    """Two values of c, a factor 4 apart, between which the ratio crosses `high`; equal ends where it never does."""
    c = 1.0
    if ratio_at(c) <= high:
        while c < _LARGEST:
            if ratio_at(4 * c) > high:
                return c, 4 * c
            c *= 4
        return c, c
    while c > _SMALLEST:
        if ratio_at(c / 4) <= high:
            return c / 4, c
        c /= 4
    return c, c


def _log(ratio: float) -> float:
    """log, with overflow and underflow on the way (NaN and 0) read as expansion and vanishing."""
    if math.isnan(ratio) or math.isinf(ratio):
        return 700.0
    return math.log(ratio) if ratio > 0 else -700.0
