"""A verdict on a run, or on a network that is to be trained: its evidence, and the next thing to try."""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from zoo.probes import advice
from zoo.probes.advice import Change, Situation
from zoo.probes.facts import ALIKE, EXPLODES, Facts
from zoo.probes.reading import Reading, growth, readable

Name = Literal[
    "healthy",
    "undecided",
    "gradient expansion",
    "gradient oversmoothing",
    "vanishing gradient",
    "representation collapse",
    "non-finite",
    "unstable training",
    "underfitting",
]

LEARNED = 0.2  # share of what lies between chance and perfection on the training part
ROSE = 3.0  # largest training loss over that before the first step
ROSE_UNLEARNED = 1.5  # the same where nothing was learned
KEPT = 0.5  # share of what was learned at the best validation that is left at the last one
BEFORE, AFTER = "before the first step", "after the last step"


@dataclass
class Course:
    """A training by its losses: the largest, with its epoch, that at the best validation, and the last validation."""

    peak_loss: float = -math.inf
    peak_epoch: int = 0
    best_loss: float = math.nan
    last_val: float = math.nan

    def take(self, epoch: int, loss: float, val: float, *, best: bool) -> None:
        """Note a validation. best: true if none was better."""
        if loss > self.peak_loss:
            self.peak_loss, self.peak_epoch = loss, epoch
        if best:
            self.best_loss = loss
        self.last_val = val

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class NonFinite:
    """The place where non-finite values begin.

    step: the one that was not taken, counted from 1. what: output, loss or gradient; "gradient norm" if every gradient
    is finite and only their common norm overflows, block then having the largest; "nothing" if the step was finite when
    it was run again, with dropout masks of its own. block: counted from 1; None if it lies outside the blocks. depth:
    the number of blocks; None in records of version 0.1.0.
    """

    step: int
    what: str
    block: int | None
    depth: int | None = None

    def __str__(self) -> str:
        depth = "" if self.depth is None else f" of {self.depth}"
        place = f"of block {self.block}{depth}" if self.block else "outside the blocks"
        if self.what == "nothing":
            return f"step {self.step}: the loss or a gradient was not finite, but is when the step is run again"
        if self.what == "gradient norm":
            return f"step {self.step}: the norm of all gradients overflows; the largest gradient is that {place}"
        return f"step {self.step}: the {self.what} {place} is the first that is not finite"


@dataclass(frozen=True)
class Diagnosis:
    """A verdict with its reason, what to try next, and the numbers that it rests on.

    changes: the advice as words to add to the command, one set or another. hint: advice where there are none.
    """

    verdict: Name
    because: str
    changes: tuple[Change, ...] = ()
    block: int | None = None
    hint: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """The advice in words: the changes as one types them in a shell, or the hint."""
        return f"try {' or '.join(map(shlex.join, self.changes))}" if self.changes else self.hint

    def __str__(self) -> str:
        place = f" at block {self.block}" if self.block else ""
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.verdict}{place} — {self.because}{advice}"

    def plain(self) -> dict[str, Any]:
        """Return it as kept in result.json."""
        words = {"verdict": self.verdict, "sentence": str(self), "because": self.because, "try": self.advice}
        return {**words, **asdict(self), "changes": list(map(list, self.changes))}


def outlook(initial: Reading, situation: Situation) -> Diagnosis:
    """Judge a network before its first step, by a reading of `evidence_probes`.

    A verdict is given where networks with such readings were never seen to train; where some did and some did not, it
    is `undecided`. Growth of gradients tells nothing where features are normalised in the blocks: 64 plain blocks with
    a growth of 10⁶ train with one such norm and fail with another.
    """
    facts = Facts.of(initial, reads_all_blocks=situation.reads_all_blocks)
    judge = _Judge(situation, facts, BEFORE)
    if facts.non_finite:
        found = judge.overflow(*facts.non_finite)
    elif facts.growth > EXPLODES and not situation.rescales:
        found = judge.expansion()
    elif facts.vanishes:
        found = judge.vanishing()
    elif facts.representation_ratio < ALIKE:
        found = judge.collapse()
    elif facts.expands:
        found = judge.undecided(judge.expansion())
    elif facts.smoothed:
        found = judge.undecided(judge.oversmoothing())
    elif facts.collapsed:
        found = judge.undecided(judge.collapse())
    else:
        found = judge.health(None)
    return replace(found, evidence={"initial": asdict(facts), "final": None, "skill": None})


def diagnose(
    initial: Reading,
    final: Reading,
    situation: Situation,
    *,
    skill: float | None,
    course: Course | None = None,
    kept: float | None = None,
    non_finite: NonFinite | None = None,
) -> Diagnosis:
    """Judge a run by readings of `evidence_probes` before its first step and after its last one.

    skill: how much of the training part was learned at the best validation, 0 for chance, 1 for all of it; None where
    that is not known, and nobody is then called a failure for it. course: its losses. kept: which share of what the
    best validation had learned is left at the last one. non_finite: what ended the run.

    A fault of the gradient counts if it is there at the end, or was there at the start of a run that then did not
    learn; smoothing and collapse, which a shallow network on a dense graph has and lives with, count only if nothing
    was learned, and so does growth where features are normalised in the blocks. Of several, the one that is nearest to
    the cause is named: numbers; size at the start; a training that was thrown off; size at the end (expansion,
    vanishing); then direction (oversmoothing), the forward pass, the fit.
    """
    before, after = (Facts.of(each, reads_all_blocks=situation.reads_all_blocks) for each in (initial, final))
    start, end = _Judge(situation, before, BEFORE), _Judge(situation, after, AFTER)
    learned = skill is None or skill >= LEARNED
    evidence = {"initial": asdict(before), "final": asdict(after), "skill": skill, "kept": kept}
    evidence["course"] = course.state_dict() if course else None
    if non_finite is not None:
        return replace(start.overflow(non_finite.what, non_finite.block, non_finite.step), evidence=evidence)
    if after.non_finite:
        return replace(end.overflow(*after.non_finite), evidence=evidence)

    def expands(facts: Facts) -> bool:
        return facts.expands and not (situation.rescales and learned)

    def first(fault: Callable[[Facts], bool], say: Callable[[_Judge], Diagnosis], *, fatal: bool) -> Diagnosis | None:
        """The fault where it counts. fatal: whether a run that has learned can have it."""
        if fault(after) and (fatal or not learned):
            return say(end)
        return say(start) if fault(before) and not learned else None

    thrown_off = None if expands(before) or before.vanishes else start.unstable(course, after, kept, learned=learned)
    checks: Sequence[Diagnosis | None] = [
        thrown_off,
        first(expands, _Judge.expansion, fatal=True),
        first(lambda facts: facts.vanishes, _Judge.vanishing, fatal=True),
        first(lambda facts: facts.smoothed, _Judge.oversmoothing, fatal=False),
        first(lambda facts: facts.collapsed, _Judge.collapse, fatal=False),
        None if learned or skill is None else end.underfitting(skill),
    ]
    return replace(next((found for found in checks if found), end.health(skill)), evidence=evidence)


class _Judge:
    """Puts the facts of one moment into words, with advice that fits the network."""

    def __init__(self, situation: Situation, facts: Facts, when: str) -> None:
        self.situation, self.facts, self.when = situation, facts, when

    def overflow(self, what: str, block: int | None, step: int | None = None) -> Diagnosis:
        """Of facts before the first step; or, without a step, of the facts themselves."""
        facts, situation = self.facts, self.situation
        untrained = self.when == BEFORE and step in (None, 1)
        moment = self.when if step is None or untrained else f"in step {step}"
        because = f"{moment}, the {what} is the first thing that is not finite"
        if facts.expands:
            because += f"; {self._grows()} {self.when}"
        if untrained:
            changes = advice.standardize(situation) if facts.huge else advice.bound(situation)
        elif facts.expands and not facts.non_finite and not situation.rescales:
            changes = advice.bound(situation)
        else:
            changes = advice.slower(situation)
        return Diagnosis("non-finite", because, changes, block)

    def expansion(self) -> Diagnosis:
        return Diagnosis("gradient expansion", f"{self.when}, {self._grows()}", advice.bound(self.situation))

    def vanishing(self) -> Diagnosis:
        facts, depth = self.facts, self.situation.depth
        if facts.unreached:
            blocks = f"blocks 1 to {facts.unreached}" if facts.unreached > 1 else "block 1"
            return Diagnosis("vanishing gradient", f"{self.when}, no gradient comes to {blocks} at all")
        because = (
            f"{self.when}, ‖G‖ falls to {readable(facts.norm_ratio)} of its size on the way from block {depth} to "
            f"block 1 ({self._factor()})"
        )
        if facts.loses_directions:
            because += f", and of what is left {facts.first_limit_ratio:.0%} differs between nodes of a component"
        return Diagnosis("vanishing gradient", because, advice.connect(self.situation))

    def oversmoothing(self) -> Diagnosis:
        facts = self.facts
        because = (
            f"{self.when}, the gradient at block 1 is nearly the same for all nodes of a component (limit ratio "
            f"{facts.last_limit_ratio:.2f} → {readable(facts.first_limit_ratio, 2)}) while ‖G‖ keeps "
            f"{readable(facts.norm_ratio, 2)} of its size"
        )
        return Diagnosis("gradient oversmoothing", because, advice.connect(self.situation))

    def collapse(self) -> Diagnosis:
        facts = self.facts
        because = (
            f"{self.when}, the last block's output is nearly the same for all nodes, or has one direction (ratio "
            f"{readable(facts.representation_ratio, 2)}, effective rank {readable(facts.effective_rank)})"
        )
        if facts.input_ratio < ALIKE:
            because += ", and so is the first block's"
            hint = "look at the features, which do not tell nodes apart"
            return Diagnosis("representation collapse", because, hint=hint)
        changes = advice.fewer(self.situation) if self.situation.skips else advice.connect(self.situation)
        return Diagnosis("representation collapse", because, changes)

    def undecided(self, found: Diagnosis) -> Diagnosis:
        """Not the verdict itself, but what it saw."""
        return Diagnosis(
            "undecided", f"{found.because}; some networks that look so train, and some do not: a short training tells"
        )

    def unstable(self, course: Course | None, after: Facts, kept: float | None, *, learned: bool) -> Diagnosis | None:
        """A loss that rose far above where it began, or a run that was much better earlier than at its end."""
        if course is None:
            return None
        first, last = self.facts.loss, after.loss
        changes = advice.slower(self.situation)
        peak, place = max(
            (course.peak_loss, f"at epoch {course.peak_epoch}"), (last if last is not None else course.peak_loss, AFTER)
        )
        if first is not None and 0 < first * (ROSE if learned else ROSE_UNLEARNED) < peak:
            because = f"the training loss rose from {readable(first)} {self.when} to {readable(peak)} {place}"
            return Diagnosis("unstable training", because, changes)
        if kept is not None and last is not None and kept < KEPT and last > course.best_loss:
            because = (
                f"at the last validation {max(kept, 0):.0%} is left of what had been learned at the best one, and the "
                f"training loss rose from {readable(course.best_loss)} to {readable(last)} meanwhile"
            )
            return Diagnosis("unstable training", because, changes)
        return None

    def underfitting(self, skill: float) -> Diagnosis:
        because = (
            f"{self.when}, gradients arrive ({self._factor()}), but only {max(skill, 0):.0%} of the training part was "
            "learned"
        )
        return Diagnosis("underfitting", because, advice.more(self.situation))

    def health(self, skill: float | None) -> Diagnosis:
        because = f"{self.when}, gradients reach the first block ({self._factor()})"
        if skill is not None:
            because += f", and {skill:.0%} of the training part is learned at the best validation"
        return Diagnosis("healthy", because)

    def _grows(self) -> str:
        facts, depth = self.facts, self.situation.depth
        each = "" if facts.rate is None else f"{growth(facts.rate)}× per block "
        return f"μ(G) grows {each}toward the input ({readable(facts.growth, 2)}× over {depth} blocks)"

    def _factor(self) -> str:
        if self.situation.depth == 1:
            return "one block"
        return "no two blocks to compare" if self.facts.rate is None else f"μ(G) ×{growth(self.facts.rate)} per block"
