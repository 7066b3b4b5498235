"""Advice as changes that can be typed: what to add to `zoo train` and the same recipe."""

import shlex

from zoo.probes.situation import Situation

Change = tuple[str, ...]  # words that are typed together

FAST = 3.0  # times the optimiser's own default: a rate above that is brought back to the default at once
SLOWER, LONGER = 10.0, 4


def sentence(changes: tuple[Change, ...], otherwise: str = "") -> str:
    """The changes as one would type them in a shell. otherwise: what to say where there is none."""
    typed = " or ".join(shlex.join(change) for change in changes)
    return f"try {typed}" if typed else otherwise


def bound(situation: Situation) -> tuple[Change, ...]:
    """Bound the weights, by a c that is found and, if that is not enough, moved."""
    if situation.bound is None:
        if not situation.boundable:
            return fewer(situation)
        return ("normalizer={name: frobenius, c: auto}",), ("normalizer={name: frobenius, c: adaptive}",)
    if situation.bound_is == "controller":
        return slower(situation)
    adaptive = (f"{situation.bound}=adaptive",)
    return (adaptive,) if situation.bound_is == "auto" else ((f"{situation.bound}=auto",), adaptive)


def connect(situation: Situation) -> tuple[Change, ...]:
    """Lead gradients past the blocks, with bounded weights; where they are led so, bound the weights alone."""
    if situation.skips:
        return bound(situation)
    if not situation.connected:
        return fewer(situation)
    return ((*situation.connected, "normalizer={name: frobenius, c: auto}"),)


def fewer(situation: Situation) -> tuple[Change, ...]:
    """A quarter of the blocks."""
    return ((f"model.depth={max(2, situation.depth // 4)}",),) if situation.depth > 2 else ()


def slower(situation: Situation) -> tuple[Change, ...]:
    """A smaller rate: the optimiser's own default, or a tenth where the rate is near that already."""
    lr, usual = situation.lr, situation.usual_lr
    if lr is None:
        return ()
    return ((f"optimizer.lr={usual if usual and lr > FAST * usual else lr / SLOWER:.3g}",),)


def more(situation: Situation) -> tuple[Change, ...]:
    """A rate that is not far below the optimiser's own default, or else a longer training."""
    lr, usual = situation.lr, situation.usual_lr
    if lr and usual and lr < usual / FAST:
        return ((f"optimizer.lr={usual:.3g}",),)
    amount, unit = situation.duration
    return ((f"training.duration={LONGER * amount:g}" + (f" {unit}" if unit != "epochs" else ""),),)


def standardize(_: Situation) -> tuple[Change, ...]:
    """Features of a usual size."""
    return (("prepare.features=standardize",),)
