"""What probes cost: epochs with and without them, interleaved in one run; peak memory, one process per case.

    python benchmarks/probe_overhead.py [--recipe cora-res-gcn-64] [--rounds 40] [--budget 120]

An epoch is what the trainer does: a training step and a validation. The probes are read at every step. The overhead is
the time of an epoch with probes over that of one without, round by round.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Say = Callable[[str], None]

CASES = ("none", "quick", "standard", "deep")
_PROCESSES = 3  # of each case; what they take at most differs little from one to the next


def training(recipe: str, probes: str) -> Any:
    """A training that reads the probes at every step."""
    from compared.zoo_training import ZooTraining

    scheduled = "none" if probes == "none" else {"name": probes, "every": "1 step"}
    return ZooTraining(probes, recipe, {"probes": scheduled, "training.duration": 1_000_000})


def times(recipe: str, rounds: int, budget: float, say: Say = lambda _: None) -> dict[str, list[float]]:
    """For each case its time over that without probes, round by round.

    rounds, budget: so many at most, and none begun after these seconds, but three at least.
    """
    from compared.race import Limits, race

    trainings = [training(recipe, case) for case in CASES]
    seconds = race(trainings, Limits(repeats=rounds, budget=budget), say).seconds
    for each in trainings:
        each.close()
    return {case: [one / none for one, none in zip(seconds[case], seconds["none"], strict=True)] for case in CASES}


def peak(recipe: str, case: str) -> float:
    """Peak memory in MiB of a process that trains a few epochs."""
    from compared.allocator import one_arena, resident

    one_arena()
    one = training(recipe, case)
    for _ in range(5):
        one.epoch()
    return resident(peak=True) / 2**20


def peaks(recipe: str, budget: float, say: Say = lambda _: None) -> dict[str, list[float]]:
    """Peak memory in MiB of three processes of each case, in turns; no round of them is begun after these seconds."""
    from compared.rounds import rounds

    found: dict[str, list[float]] = {case: [] for case in CASES}
    for number in rounds(_PROCESSES, budget, 1):
        for case in CASES:
            say(f"peak memory of {case}, {number + 1} of {_PROCESSES}")
            found[case].append(_peak(recipe, case))
    return found


def _peak(recipe: str, case: str) -> float:
    command = [sys.executable, __file__, "--recipe", recipe, "--peak", case]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    """Measure, and print one row for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="cora-res-gcn-64")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for times and as many for memory")
    parser.add_argument("--peak", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print(json.dumps(peak(given.recipe, given.peak)))
        return
    from compared.ratios import quartiles

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    memory = peaks(given.recipe, given.budget, say)
    none = statistics.median(memory["none"])
    print("| probes | time of an epoch | quartiles | rounds | peak memory |")
    print("|---|---|---|---|---|")
    for case, ratios in times(given.recipe, given.rounds, given.budget, say).items():
        low, middle, high = quartiles(ratios)
        peaked = statistics.median(memory[case])
        print(
            f"| {case} | {middle:.3f} × | {low:.3f}–{high:.3f} | {len(ratios)} "
            f"| {peaked:.0f} MiB, {peaked / none:.3f} × |"
        )


if __name__ == "__main__":
    main()
