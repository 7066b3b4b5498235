"""Readings as facts: the numbers of one moment that verdicts rest on, compared with where each verdict begins."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.probes.base import Of
from zoo.probes.reading import Reading

# Where each verdict begins; docs/reading-gradients.md has the measurements behind them.
EXPANDS = 30.0  # μ(G_1)/μ(G_L)
EXPLODES = 300.0  # the same, before the first step: beyond it every network lost a third of its accuracy at least
VANISHES = 1e-3  # ‖G_1‖/‖G_L‖
SMOOTHED = 0.35  # limit ratio at the first block, itself and relative to the last block's
COLLAPSED = 0.05  # ratio of X_L, plain or limit
ALIKE = 1e-6  # the same, where nothing but rounding tells nodes apart
HUGE = 1e12  # ‖X_1‖_F: no other block has had a part in it
ONE_DIRECTION = 1.2  # effective rank of X_L


@dataclass(frozen=True)
class Facts:
    """The numbers of one moment; none of them is NaN, so that every comparison has a meaning.

    non_finite: which was the first thing that is not finite, output or gradient, and at which block; the other numbers
    then say nothing, but for input_norm, ‖X_1‖_F, infinite where it overflows itself. unreached: how many of the first
    blocks no gradient comes to, as where it is detached. growth, norm_ratio: of the first block's gradient over the
    last one's; a gradient of 0 has grown by nothing, and nothing of it is left. rate: log growth of μ(G) per block,
    None where fewer than two blocks have a μ to compare. Ratios of matrices of 0 are 1 for gradients (there was nothing
    to lose) and 0 for representations (all nodes are alike). loss: in training mode, of the first batch.
    """

    growth: float = 1.0
    norm_ratio: float = 1.0
    rate: float | None = None
    first_limit_ratio: float = 1.0
    last_limit_ratio: float = 1.0
    input_norm: float = 1.0
    input_ratio: float = 1.0
    representation_ratio: float = 1.0
    effective_rank: float = math.inf
    unreached: int = 0
    non_finite: tuple[str, int] | None = None
    loss: float | None = None

    def __post_init__(self) -> None:
        numbers = [value for value in vars(self).values() if isinstance(value, float)]
        assert not any(map(math.isnan, numbers)), f"NaN has no place among facts: {self}"

    @classmethod
    def of(cls, reading: Reading, *, reads_all_blocks: bool = False) -> "Facts":
        """Taken from a reading of `evidence_probes`."""
        loss = reading.number("loss")
        known = None if math.isnan(loss) else loss
        size = float(reading["representations.norm"][0])
        size = size if math.isfinite(size) else math.inf
        if (bad := _first_bad(reading)) is not None:
            return cls(non_finite=bad, input_norm=size, loss=known)
        reached = np.flatnonzero(~np.isnan(reading["gradients.finite"]))
        # Where the head reads every block, the network has collapsed only when all of them have.
        seen = slice(None) if reads_all_blocks else slice(-1, None)
        ratios = [np.nan_to_num(reading[f"representations.ratio.{name}"]) for name in ("plain", "limit")]
        forward = {
            "input_norm": size,
            "input_ratio": float(min(ratio[0] for ratio in ratios)),
            "representation_ratio": float(min(ratio[seen].max() for ratio in ratios)),
            "effective_rank": float(np.nan_to_num(reading["representations.rank.effective"])[seen].max()),
            "loss": known,
        }
        if not len(reached):
            return cls(norm_ratio=0.0, unreached=len(reading["gradients.finite"]), **forward)
        first, last = reached[0], reached[-1]
        mu, norm = reading["gradients.mu.plain"], reading["gradients.norm"]
        limit = np.nan_to_num(reading["gradients.ratio.limit"], nan=1.0)
        rate = reading.number("expansion_rate.plain")
        return cls(
            growth=_quotient(mu[first], mu[last], of_nothing=1.0),
            norm_ratio=0.0 if first else _quotient(norm[first], norm[last], of_nothing=0.0),
            rate=rate if math.isfinite(rate) else None,
            first_limit_ratio=float(limit[first]),
            last_limit_ratio=float(limit[last]),
            unreached=int(first),
            **forward,
        )

    @property
    def expands(self) -> bool:
        """The gradient grows on its way to the first block."""
        return self.growth > EXPANDS

    @property
    def vanishes(self) -> bool:
        """Next to nothing of the gradient reaches the first block."""
        return self.norm_ratio < VANISHES

    @property
    def smoothed(self) -> bool:
        """The gradient that reaches the first block is alike for all nodes of a component, though not gone."""
        return self.loses_directions and not self.vanishes

    @property
    def loses_directions(self) -> bool:
        """The gradient at the first block is alike for all nodes of a component, whatever its size."""
        return self.first_limit_ratio < SMOOTHED * self.last_limit_ratio

    @property
    def huge(self) -> bool:
        """The features, or the first block by itself, make numbers beyond measure."""
        return self.input_norm > HUGE

    @property
    def collapsed(self) -> bool:
        """The representations that the head reads are alike for all nodes, or have one direction."""
        return self.representation_ratio < COLLAPSED or self.effective_rank < ONE_DIRECTION


def _first_bad(reading: Reading) -> tuple[str, int] | None:
    """The first block whose output, else the last one whose gradient, is not finite, or has a norm that is not."""
    if len(bad := _bad(reading, "representations")):
        return "output", int(bad[0]) + 1
    if len(bad := _bad(reading, "gradients")):
        return "gradient", int(bad[-1]) + 1
    return None


def _bad(reading: Reading, side: Of) -> np.ndarray:
    """Blocks of which something was measured that is not finite."""
    finite, norms = reading[f"{side}.finite"], reading[f"{side}.norm"] + reading[f"{side}.mu.plain"]
    return np.flatnonzero((finite == 0) | ((finite == 1) & ~np.isfinite(norms)))


def _quotient(part: Any, whole: Any, *, of_nothing: float) -> float:
    """Part over whole; infinite where the whole is 0, unless there is nothing at all."""
    if whole:
        return float(part / whole)
    return math.inf if part else of_nothing
