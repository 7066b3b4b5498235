"""What a run's gradients say about it: one verdict, its evidence, and the next thing to try."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from zoo.probes.base import Probe
from zoo.probes.presets import standard
from zoo.probes.rank import Rank
from zoo.probes.reading import Reading

Name = Literal[
    "healthy",
    "gradient expansion",
    "gradient oversmoothing",
    "vanishing gradient",
    "representation collapse",
    "non-finite",
    "underfitting",
]

# Where each verdict begins; docs/reading-gradients.md has the measurements behind them.
EXPANDS = 30.0  # μ(G_1)/μ(G_L)
VANISHES = 1e-3  # ‖G_1‖/‖G_L‖
SMOOTHED = 0.35  # limit ratio at the first block, itself and relative to the last block's
COLLAPSED = 0.05  # ratio of X_L, plain or limit
ONE_DIRECTION = 1.2  # effective rank of X_L
LEARNED = 0.2  # share of what lies between chance and perfection on the training part


@dataclass(frozen=True)
class Setting:
    """What advice depends on. width: of the blocks. bounded: whether a normaliser bounds the weights."""

    width: int
    skips: bool
    bounded: bool
    reads_all_blocks: bool = False


@dataclass(frozen=True)
class Facts:
    """The numbers of one moment that verdicts are made of; NaN where they could not be read."""

    growth: float
    norm_ratio: float
    rate: float
    first_limit_ratio: float
    last_limit_ratio: float
    representation_ratio: float
    effective_rank: float

    @classmethod
    def of(cls, reading: Reading, *, reads_all_blocks: bool = False) -> "Facts":
        """Taken from a reading of `evidence_probes`."""
        mu, norm = reading["gradients.mu.plain"], reading["gradients.norm"]
        limit = reading["gradients.ratio.limit"]
        # Where the head reads every block, the network has collapsed only when all of them have.
        seen = slice(None) if reads_all_blocks else slice(-1, None)
        sides = [reading[f"representations.ratio.{name}"][seen].max() for name in ("plain", "limit")]
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(
                growth=float(mu[0] / mu[-1]),
                norm_ratio=float(norm[0] / norm[-1]),
                rate=reading.number("expansion_rate.plain"),
                first_limit_ratio=float(limit[0]),
                last_limit_ratio=float(limit[-1]),
                representation_ratio=float(min(sides)),
                effective_rank=float(reading["representations.rank.effective"][seen].max()),
            )

    @property
    def expands(self) -> bool:
        """The gradient grows on its way to the first block, or overflows there."""
        return self.growth > EXPANDS

    @property
    def vanishes(self) -> bool:
        """Next to nothing of the gradient reaches the first block."""
        return self.norm_ratio < VANISHES

    @property
    def smoothed(self) -> bool:
        """What reaches the first block is alike for all nodes of a component, while its size is not gone."""
        return self.loses_directions and not self.vanishes

    @property
    def loses_directions(self) -> bool:
        """The gradient at the first block is alike for all nodes of a component, whatever its size."""
        return self.first_limit_ratio < SMOOTHED * self.last_limit_ratio

    @property
    def collapsed(self) -> bool:
        """The representations that the head reads are alike for all nodes, or have one direction."""
        return self.representation_ratio < COLLAPSED or self.effective_rank < ONE_DIRECTION


@dataclass(frozen=True)
class Diagnosis:
    """A verdict with the sentence that says it, what to try next, and the numbers that it rests on."""

    verdict: Name
    because: str
    advice: str
    block: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        place = f" at block {self.block}" if self.block else ""
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.verdict}{place} — {self.because}{advice}"

    def plain(self) -> dict[str, Any]:
        """As kept in result.json."""
        return {
            "verdict": self.verdict,
            "said": str(self),
            "because": self.because,
            "try": self.advice,
            "block": self.block,
            "evidence": self.evidence,
        }


def evidence_probes() -> list[Probe]:
    """What `diagnose` needs to be read, at the start and at the end of a run."""
    return [*standard(), Rank()]


def diagnose(
    initial: Reading,
    final: Reading | None,
    setting: Setting,
    *,
    skill: float | None,
    non_finite: tuple[str, int | None] | None = None,
    untrained: bool = False,
) -> Diagnosis:
    """Judge a run by readings of `evidence_probes` before its first step and after its last one.

    skill: how much of the training part was learned, 0 for chance, 1 for all of it; None for a network that was not
    trained, which is judged by its gradients and representations alone. non_finite: what was not finite first, and at
    which block; untrained: that was so before the first step. A fault of the gradient counts if it is there at the end,
    or was there at the start of a run that then did not learn; smoothing and collapse, which a shallow network on a
    dense graph has and lives with, count only if nothing was learned. Of several, the one that is nearest to the cause
    is named: numbers, then size (expansion, vanishing), then direction (oversmoothing), then the forward pass, then the
    fit.
    """
    before = Facts.of(initial, reads_all_blocks=setting.reads_all_blocks)
    after = Facts.of(final, reads_all_blocks=setting.reads_all_blocks) if final else before
    learned = skill is not None and skill >= LEARNED
    judge = _Judge(setting, len(initial["gradients.norm"]))
    evidence = {"initial": asdict(before), "final": asdict(after) if final else None, "skill": skill}
    if non_finite is not None:
        what, block = non_finite
        cause = judge.expansion(before) if before.expands else None
        because = f"the {what} is the first thing that is not finite"
        if cause:
            because += f"; {cause.because} before the first step"
        advice = cause.advice if cause else judge.scale() if untrained else judge.bound()
        return Diagnosis("non-finite", because, advice, block, evidence)

    def seen(fault: Callable[[Facts], bool], *, only_unlearned: bool = False) -> Facts | None:
        if fault(after) and not (only_unlearned and learned):
            return after
        return before if fault(before) and not learned else None

    checks: Sequence[tuple[Facts | None, Callable[[Facts], Diagnosis]]] = [
        (seen(lambda facts: facts.expands), judge.expansion),
        (seen(lambda facts: facts.vanishes), judge.vanishing),
        (seen(lambda facts: facts.smoothed, only_unlearned=True), judge.oversmoothing),
        (seen(lambda facts: facts.collapsed, only_unlearned=True), judge.collapse),
    ]
    found = next((say(facts) for facts, say in checks if facts is not None), None)
    if found is None:
        found = judge.underfitting(after, skill) if skill is not None and not learned else judge.health(after, skill)
    return Diagnosis(found.verdict, found.because, found.advice, None, evidence)


class _Judge:
    """Puts facts into words, with advice that fits the network."""

    def __init__(self, setting: Setting, depth: int) -> None:
        self.setting = setting
        self.depth = depth

    @property
    def c(self) -> str:
        """A bound that suited residual networks: c = 32/L at width 64, in proportion to √width (docs/log.md)."""
        return f"{4 * math.sqrt(self.setting.width) / self.depth:.2g}"

    def expansion(self, facts: Facts) -> Diagnosis:
        because = (
            f"μ(G) grows {math.exp(facts.rate):.2f}× per block toward the input "
            f"({facts.growth:.1e}× over {self.depth} blocks)"
        )
        if self.setting.bounded:
            return Diagnosis("gradient expansion", because, f"try normalizer.c={self.c} or normalizer.c=adaptive")
        return Diagnosis(
            "gradient expansion", because, f"try normalizer=frobenius c≈{self.c}, or c=adaptive to have it found"
        )

    def vanishing(self, facts: Facts) -> Diagnosis:
        because = (
            f"‖G‖ falls to {facts.norm_ratio:.1e} of its size on the way from block {self.depth} to block 1 "
            f"({_factor(facts)})"
        )
        if facts.loses_directions:
            because += f", and of what is left {facts.first_limit_ratio:.0%} differs between nodes of a component"
        return Diagnosis("vanishing gradient", because, self._connect())

    def oversmoothing(self, facts: Facts) -> Diagnosis:
        because = (
            f"the gradient at block 1 is nearly the same for all nodes of a component (limit ratio "
            f"{facts.last_limit_ratio:.2f} → {facts.first_limit_ratio:.2g}) while ‖G‖ keeps "
            f"{facts.norm_ratio:.2g} of its size"
        )
        return Diagnosis("gradient oversmoothing", because, self._connect())

    def collapse(self, facts: Facts) -> Diagnosis:
        because = (
            f"the last block's output is nearly the same for all nodes (ratio {facts.representation_ratio:.2g}, "
            f"effective rank {facts.effective_rank:.2f}) although gradients arrive"
        )
        return Diagnosis(
            "representation collapse", because, "try model.residual=initial, fewer blocks, or look at the features"
        )

    def underfitting(self, facts: Facts, skill: float) -> Diagnosis:
        because = f"gradients arrive ({_factor(facts)}), but only {max(skill, 0):.0%} of the training part was learned"
        larger = ", a larger normalizer.c" if self.setting.bounded else ""
        return Diagnosis(
            "underfitting", because, f"try a larger optimizer.lr, a longer training.duration, a larger width{larger}"
        )

    def health(self, facts: Facts, skill: float | None) -> Diagnosis:
        because = f"gradients reach the first block ({_factor(facts)})"
        if skill is not None:
            because += f" and {skill:.0%} of the training part is learned"
        return Diagnosis("healthy", because, "")

    def scale(self) -> str:
        """Advice for a network that overflows as it is drawn: no step, and no rate, had a part in it."""
        return "try prepare.features=standardize or row: the untrained network overflows on features as large as these"

    def bound(self) -> str:
        if self.setting.bounded:
            return "try a smaller optimizer.lr, training.clip=1.0 or a smaller normalizer.c"
        return f"try normalizer=frobenius c≈{self.c}, a smaller optimizer.lr or training.clip=1.0"

    def _connect(self) -> str:
        if not self.setting.skips:
            return f"try residual blocks (model=res-…) with normalizer=frobenius c≈{self.c}"
        return (
            "try a larger normalizer.c, or c=adaptive"
            if self.setting.bounded
            else "try normalizer=frobenius c=adaptive"
        )


def _factor(facts: Facts) -> str:
    return f"μ(G) ×{math.exp(facts.rate):.3g} per block" if math.isfinite(facts.rate) else "one block"
