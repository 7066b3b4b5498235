"""What probes cost: epochs with and without them, interleaved in one run; peak memory, one process per case.

    python benchmarks/probe_overhead.py [--recipe cora-res-gcn-64] [--rounds 40]

An epoch is what the trainer does: a training step and a validation. The overhead is the median over rounds of the time
with probes divided by the mean of the two plain epochs around it.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

CASES = ("none", "quick", "standard", "deep")


def trainer(recipe: str, probes: str):
    """A trainer that reads the probes at every step."""
    import zoo

    scheduled = {"probes": "none" if probes == "none" else {"name": probes, "every": "1 step"}}
    built = zoo.build(recipe, {**scheduled, "training.duration": 1000}, device="cpu")
    made = built.trainer()
    batch = next(iter(built.task.batches()))

    def epoch() -> float:
        began = time.perf_counter()
        loss, _ = made._train_on(batch)
        made.step += 1
        made._validate(loss, 0.0)
        return time.perf_counter() - began

    return epoch


def times(recipe: str, rounds: int) -> dict[str, tuple[float, float, float]]:
    """For each case the median, and the quartiles, of its time over that of the plain epochs beside it."""
    epochs = {case: trainer(recipe, case) for case in CASES}
    found = {case: [] for case in CASES}

    def warm(case: str) -> float:
        """An epoch of a trainer that has just had another: the first one after a change finds nothing in the caches."""
        epochs[case]()
        return epochs[case]()

    for _ in range(rounds):
        for case in CASES:
            before, with_probes, after = warm("none"), warm(case), warm("none")
            found[case].append(2 * with_probes / (before + after))
    return {case: tuple(statistics.quantiles(ratios, n=4)) for case, ratios in found.items()}


def peak(recipe: str, case: str) -> float:
    """Peak memory in MiB of a process that trains a few epochs."""
    epoch = trainer(recipe, case)
    for _ in range(5):
        epoch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, and print one row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="cora-res-gcn-64")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--peak", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        print(json.dumps(peak(given.recipe, given.peak)))
        return
    memory = {}
    for case in CASES:
        command = [sys.executable, __file__, "--recipe", given.recipe, "--peak", case]
        runs = [
            json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout) for _ in range(3)
        ]
        memory[case] = statistics.median(runs)
    print("| probes | time of an epoch | quartiles | peak memory |")
    print("|---|---|---|---|")
    for case, (low, middle, high) in times(given.recipe, given.rounds).items():
        share = memory[case] / memory["none"]
        print(f"| {case} | {middle:.3f} × | {low:.3f}–{high:.3f} | {memory[case]:.0f} MiB, {share:.3f} × |")


if __name__ == "__main__":
    main()
