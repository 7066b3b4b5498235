"""What training seeds as one gains: time of their training side by side, and one after the other.

    python benchmarks/together.py [--recipe hello] [--members 8] [--epochs 6] [--rounds 3] [a.b=c …]

Both train the same members from the same weights, in turns, in this process: losses have to agree. Each training with
validations, as a run has them; making the objects is not counted. The ratio is time together by time one after the
other: below 1 it pays.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch


class _Losses:
    """Remembers the losses that a trainer tells of."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def measured(self, row: Mapping[str, Any]) -> None:
        self.told.append(row["loss"])

    def probed(self, row: dict[str, Any]) -> None:
        """Nothing is probed."""


def timed(recipe: str, overrides: list[str], members: int) -> tuple[float, float]:
    """Seconds of all members one after the other, and together."""
    import zoo
    from zoo.together import loop_of
    from zoo.training.members import Members

    built = [
        [replace(zoo.build(recipe, overrides, seed=seed), evidence=()) for seed in range(members)] for _ in range(2)
    ]
    losses = [[_Losses() for _ in range(members)] for _ in range(2)]
    trainers = [each.trainer((watcher,)) for each, watcher in zip(built[0], losses[0], strict=True)]
    stacked = Members([each.network for each in built[1]])
    loop = loop_of(built[1], stacked, [(watcher,) for watcher in losses[1]])
    began = time.perf_counter()
    for trainer in trainers:
        trainer.fit()
    between = time.perf_counter()
    loop.fit()
    ended = time.perf_counter()
    for alone, together in zip(*losses, strict=True):
        torch.testing.assert_close(torch.tensor(together.told), torch.tensor(alone.told), rtol=1e-3, atol=1e-3)
    return between - began, ended - between


def main() -> None:
    """Time both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="hello")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    overrides = ["probes=none", f"training.duration={given.epochs} epochs", *given.overrides]
    pairs = [timed(given.recipe, overrides, given.members) for _ in range(given.rounds)]
    ratios = [together / alone for alone, together in pairs]
    alone, together = map(min, zip(*pairs, strict=True))
    print(
        f"{given.recipe} {' '.join(given.overrides)}: {given.members} members, {given.epochs} epochs — "
        f"one after the other {alone:.2f} s, together {together:.2f} s; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
