"""What probes cost: epochs with and without them, interleaved in one run; peak memory, one process per case.

    python benchmarks/probe_overhead.py [--recipe cora-res-gcn-64] [--rounds 40]

An epoch is what the trainer does: a training step and a validation. The probes are read at every step. The overhead is
the time of an epoch with probes over that of one without, round by round.
"""

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

CASES = ("none", "quick", "standard", "deep")


def training(recipe: str, probes: str) -> Any:
    """A training that reads the probes at every step."""
    from compared.zoo_training import ZooTraining

    scheduled = "none" if probes == "none" else {"name": probes, "every": "1 step"}
    return ZooTraining(probes, recipe, {"probes": scheduled, "training.duration": 1_000_000})


def times(recipe: str, rounds: int) -> dict[str, list[float]]:
    """For each case the quartiles of its time over that without probes."""
    from compared.race import Limits, race
    from compared.ratios import of_rounds

    trainings = [training(recipe, case) for case in CASES]
    seconds = race(trainings, Limits(repeats=rounds, budget=float("inf"))).seconds
    for each in trainings:
        each.close()
    return {case: of_rounds(seconds[case], seconds["none"]) for case in CASES}


def peak(recipe: str, case: str) -> float:
    """Peak memory in MiB of a process that trains a few epochs."""
    from compared.allocator import one_arena, resident

    one_arena()
    one = training(recipe, case)
    for _ in range(5):
        one.epoch()
    return resident(peak=True) / 2**20


def peaks(recipe: str) -> dict[str, float]:
    """Peak memory in MiB of each case: the median of three processes."""
    return {case: statistics.median(_peak(recipe, case) for _ in range(3)) for case in CASES}


def _peak(recipe: str, case: str) -> float:
    command = [sys.executable, __file__, "--recipe", recipe, "--peak", case]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    """Measure, and print one row for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="cora-res-gcn-64")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--peak", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print(json.dumps(peak(given.recipe, given.peak)))
        return
    memory = peaks(given.recipe)
    print("| probes | time of an epoch | quartiles | peak memory |")
    print("|---|---|---|---|")
    for case, (low, middle, high) in times(given.recipe, given.rounds).items():
        share = memory[case] / memory["none"]
        print(f"| {case} | {middle:.3f} × | {low:.3f}–{high:.3f} | {memory[case]:.0f} MiB, {share:.3f} × |")


if __name__ == "__main__":
    main()
