"""What a second process gains: time of a training step by one process and by a team, one thread each.

    python benchmarks/processes.py [--processes 2] [--depth 16] [--nodes 40000] [--rounds 2]

Both train the same batches of clusters, half the nodes of the graph each; in a team every process computes on its
share. Wall time counts where nothing else runs. The processor time of a process says how much of a step is left to
each, whatever else runs: a process that waits for the others sleeps.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace


def step_times(depth: int, nodes: int) -> dict[str, float]:
    """Seconds of a step, on the wall and of this process's processor, as one of the team that it is in."""
    from zoo.builder import build
    from zoo.recipe.load import load
    from zoo.system.team import Team

    recipe = {
        "dataset": {"name": "block-model", "nodes": nodes, "degree": 10},
        "task.sampler": {"name": "cluster", "parts": 40, "batch_parts": 20, "by": "random"},
        "model": {"name": "res-gcn", "depth": depth, "width": 64},
        "training": {"duration": "7 epochs", "evaluate": "7 epochs"},
        "execution.threads": 1,
        "probes": "none",
    }
    with Team.of_environment() as team:
        built = build(load("smoke/res-gcn", recipe), 0, team)
        seen: list[tuple[float, float]] = []
        batches = built.task.batches

        def timed(epoch: int, start: int = 0):
            for batch in batches(epoch, start):
                seen.append((time.perf_counter(), time.process_time()))
                yield batch

        built.task.batches = timed
        steps = replace(built, evidence=()).trainer().fit().steps
        first, last = seen[2], seen[-1]  # the first steps fill caches
        times = team.gather([(end - begin) / (steps - 3) for begin, end in zip(first, last, strict=True)])
        return dict(zip(("wall", "processor"), map(max, zip(*times, strict=True)), strict=True))


def main() -> None:
    """Time both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--nodes", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", action="store_true", help="time this process, as one of its team")
    given = parser.parse_args()
    if given.one:
        found = step_times(given.depth, given.nodes)
        if os.environ.get("RANK", "0") == "0":
            print(json.dumps(found))
        return
    sizes, best = (1, given.processes), {}
    for _ in range(given.rounds):
        for size in sizes:
            torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={size}"] if size > 1 else []
            command = [sys.executable, *torchrun, __file__, "--one", f"--depth={given.depth}", f"--nodes={given.nodes}"]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            found = json.loads(done.stdout.splitlines()[-1])
            best[size] = {kind: min(value, best.get(size, found)[kind]) for kind, value in found.items()}
    for size in sizes:
        print(f"{size} at a time:", ", ".join(f"{kind} {value * 1e3:.0f} ms" for kind, value in best[size].items()))
    print("ratio:", ", ".join(f"{kind} {best[1][kind] / best[sizes[1]][kind]:.2f}" for kind in best[1]))


if __name__ == "__main__":
    main()
