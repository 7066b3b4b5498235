"""How much faster a study trains its runs than one run after the other with all threads; whole processes, in one run.

    python benchmarks/study_throughput.py --rounds 3

Both train the same runs from an empty folder: `zoo train` one after the other with as many threads as there are cores,
`zoo study run` one single-thread process for each core. Start-up, building and tables are part of both times.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Print a Markdown table of seconds and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipe", default="cora-res-gcn-64")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    ratios = []
    print(f"| round | one after the other, {cores} threads | study, {cores} processes | ratio |\n|---|---|---|---|")
    for number in range(1, options.rounds + 1):
        alone, together = sequential(options, cores), study(options)
        ratios.append(alone / together)
        print(f"| {number} | {alone:.1f} s | {together:.1f} s | {ratios[-1]:.2f} |", flush=True)
    runs = f"{options.seeds} runs of {options.recipe}, {options.epochs} epochs"
    print(f"\nmedian ratio {statistics.median(ratios):.2f} ({runs})")


def sequential(options: argparse.Namespace, cores: int) -> float:
    """Seconds for `zoo train` over all seeds."""
    words = ["train", options.recipe, f"training.duration={options.epochs}", f"execution.threads={cores}"]
    return seconds([*words, "--seeds", f"0..{options.seeds - 1}"])


def study(options: argparse.Namespace) -> float:
    """Seconds for `zoo study run` over the same runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "throughput.yaml"
        file.write_text(
            f"base: {options.recipe}\nchange: {{training.duration: {options.epochs} epochs}}\n"
            f"seeds: {list(range(options.seeds))}\n",
            encoding="utf-8",
        )
        return seconds(["study", "run", str(file)])


def seconds(words: list[str]) -> float:
    """How long a zoo command takes in an empty folder of runs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("zoo")), *words, "--runs", folder, "--quiet"]
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
