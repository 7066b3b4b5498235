"""What sampled training saves: peak memory and time of a deep network on a graph of 200,000 nodes.

    python benchmarks/sampled_memory.py [--epochs 2] [--depth 64] [--nodes 200000] [--cases cluster full]

Each case is trained in a process of its own, whose largest resident set is what is printed; scores are those of the
whole graph, computed layer-wise. Case `full` takes one step on the whole graph for each epoch.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

CASES = {
    "cluster": {"name": "cluster", "parts": 100, "batch_parts": 10},
    "shadow": {"name": "shadow", "hops": 2, "fanout": 3, "batch_size": 1024},
    "full": "full",
}


def measure(case: str, nodes: int, depth: int, epochs: int) -> dict[str, float]:
    """Train, and say how much memory, time and accuracy it took and gave."""
    import torch

    import zoo
    from zoo.training.steps import training_loss

    began = time.perf_counter()
    recipe = {
        "dataset": {"name": "block-model", "nodes": nodes, "degree": 10},
        "task": {"name": "nodes", "sampler": CASES[case], "inference": "layerwise", "chunk": 20_000},
        "model": {"name": "res-gcn", "depth": depth, "width": 64},
        "normalizer": {"name": "frobenius", "c": "auto"},
        "optimizer": {"name": "adam", "lr": 0.005},
        "probes": "none",
        "execution.threads": 2,
    }
    built = zoo.build("smoke/res-gcn", recipe, device="cpu")
    network, task, optimizer = built.network, built.task, built.optimizer
    setup = time.perf_counter() - began
    seconds, scores, scoring = [], [], []
    for epoch in range(epochs):
        began = time.perf_counter()
        network.train()
        for batch in task.batches(epoch):
            optimizer.zero_grad()
            training_loss(network, task, batch).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - began)
        network.eval()
        began = time.perf_counter()
        with torch.no_grad():
            scores.append(task.scores(network)("test"))
        scoring.append(time.perf_counter() - began)
    return {
        "edges": task.graph.edges,
        "steps": task.steps_per_epoch,
        "setup": setup,
        "epoch": min(seconds),
        "scoring": scoring[-1],
        "test": scores[-1],
        "chance": task.chance("test"),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    """Measure, and print one row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--depth", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["cluster", "full"])
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.nodes, given.depth, given.epochs)))
        return
    print("| training | peak memory | time of an epoch | steps | scoring | test after the last epoch | chance |")
    print("|---|---|---|---|---|---|---|")
    for case in given.cases:
        options = ["--nodes", given.nodes, "--depth", given.depth, "--epochs", given.epochs]
        command = [sys.executable, __file__, "--one", case, *map(str, options)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(run.stdout.splitlines()[-1])
        cost = f"{found['peak']:.1f} GiB | {found['epoch']:.0f} s | {found['steps']} | {found['scoring']:.0f} s"
        print(f"| {case} | {cost} | {found['test']:.3f} | {found['chance']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
