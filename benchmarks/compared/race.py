"""Turns: everyone trains a little, then the next; what is compared was measured side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from compared.contestant import Contestant
from compared.rounds import rounds

Say = Callable[[str], None]

# A turn lasts about so long, and where the caches matter, it begins with an epoch that is not counted.
_TURN = 0.1
_CACHES_MATTER = 0.3
_FEWEST_ROUNDS = 3

# Where an epoch takes longer than these seconds, three are held against each other: two steps have been taken by then.
_LONG = 2.0
_FEWEST_CHECKED = 3


class CurvesDiffer(Exception):
    """Two trainings that should be the same are not."""


@dataclass(frozen=True)
class Limits:
    """How long is measured: up to `repeats` rounds, no new one after `budget` seconds, but three at least.

    check: epochs whose losses are held against each other before anything is timed; fewer where they are long.
    tolerance: on their difference, as a share of how far the loss falls in these epochs.
    """

    repeats: int = 15
    budget: float = 60.0
    check: int = 5
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Race:
    """seconds: for each name the time of an epoch, round by round. loss: of the last epoch.

    apart: how far its losses were from the first's in the epochs that were checked; see `Limits`.
    """

    seconds: dict[str, list[float]]
    apart: dict[str, float]
    loss: dict[str, float]


def race(contestants: Sequence[Contestant], limits: Limits, say: Say = lambda _: None) -> Race:
    """Hold the curves against that of the first, then time all in turns.

    Raises: CurvesDiffer, before anything is timed.
    """
    apart, typical = _checked(contestants, limits, say)
    seconds: dict[str, list[float]] = {each.name: [] for each in contestants}
    for number in rounds(limits.repeats, limits.budget, _FEWEST_ROUNDS):
        say(f"round {number + 1}")
        first = number % len(contestants)
        for each in [*contestants[first:], *contestants[:first]]:
            seconds[each.name].append(_turn(each, typical[each.name]))
    return Race(seconds, apart, {each.name: each.losses[-1] for each in contestants if each.losses})


def _turn(contestant: Contestant, typical: float) -> float:
    """The mean time of an epoch in one turn."""
    if typical < _CACHES_MATTER:
        contestant.epoch()
    epochs = max(1, math.ceil(_TURN / typical))
    return sum(contestant.epoch() for _ in range(epochs)) / epochs


def _checked(contestants: Sequence[Contestant], limits: Limits, say: Say) -> tuple[dict[str, float], dict[str, float]]:
    """How far each curve is from the first one, and the fastest epoch of each."""
    first, *others = contestants
    began = first.epoch()
    check = min(limits.check, _FEWEST_CHECKED) if began > _LONG else limits.check
    fastest = {first.name: began}
    for each in contestants:
        say(f"first epochs of {each.name}")
        left = check if each is first else check + 1  # one more, as a trainer may be one row late
        fastest[each.name] = min(fastest.get(each.name, math.inf), *(each.epoch() for _ in range(left)))
    curve = first.losses[:check]
    fall = max(curve, default=0.0) - min(curve, default=0.0)
    if first.checked and not fall > 0:
        raise CurvesDiffer(f"{first.name}: the loss does not move, {curve}")
    apart = {}
    for each in others:
        if not each.checked:
            continue
        pairs = list(zip(first.losses, each.losses, strict=False))[:check]
        apart[each.name] = max(abs(one - other) for one, other in pairs) / fall
        if not apart[each.name] <= limits.tolerance or len(pairs) < check:
            raise CurvesDiffer(f"{each.name} against {first.name}: losses {pairs}, tolerance {limits.tolerance:g}")
    return apart, fastest


def result(done: Race) -> dict[str, Any]:
    """As JSON has it, with statistics."""
    from compared.ratios import of_rounds, quartiles

    first, *others = done.seconds
    return {
        "seconds": {name: quartiles(times) for name, times in done.seconds.items()},
        "fastest": {name: min(times) for name, times in done.seconds.items()},
        "rounds": len(done.seconds[first]),
        "ratio": {name: of_rounds(done.seconds[first], done.seconds[name]) for name in others},
        "fastest_ratio": {name: min(done.seconds[first]) / min(done.seconds[name]) for name in others},
        "losses_apart": done.apart,
        "loss": done.loss,
    }
