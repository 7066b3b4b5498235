"""Several processes on one run folder, some of them killed: each works, or says who does; nothing is left broken.

    python checks/shared.py --seconds 60

Trainers (train, again, resume, a study's worker, members together) and readers (evaluate, compare, plot) use the same
folders at one time, and every few moments a trainer is killed (SIGKILL) and another one started. What has to hold:
every call ends well or with an error that is the user's to read; a run that is finished scores what it recorded; and
after the last kill the next process goes on without anybody's hand.

A process of its own takes seconds to load libraries, so all are forks of one that has loaded them.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import zoo
from zoo.errors import USER_ERRORS, RunBusy
from zoo.plots import draw, save
from zoo.recipe.load import load
from zoo.runs.folder import is_finished
from zoo.runs.run import Run, find
from zoo.runs.run_lock import is_claimed
from zoo.studies.collect import cells_of_runs
from zoo.studies.processes import Job, train_job
from zoo.together import train_together

RECIPE, OVERRIDES, SEEDS = "smoke/res-gcn", ["probes=none", "training.duration=20", "training.save=2"], (0, 1)
TRAINERS, READERS = ("train", "again", "resume", "study", "together"), ("evaluate", "compare", "plot")
LIVES = 2.0  # seconds between two kills, about
Counts = dict[str, Counter[str]]


def main() -> None:
    """Run the check, print the table, and exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the processes are at it")
    parser.add_argument("--seed", type=int, default=0, help="of who is killed when")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-shared-") as folder:
        counts, kills, problems = check(Path(folder), given.seconds, given.seed)
    show(counts, kills, problems)
    sys.exit(1 if problems else 0)


def check(folder: Path, seconds: float, seed: int) -> tuple[Counts, int, list[str]]:
    """Let them at it; return how calls ended by who made them, how many processes were killed, and what was broken."""
    draws = random.Random(seed)
    runs, logs = folder / "runs", folder / "logs"
    logs.mkdir()
    torch.set_num_threads(1)
    zoo.build(RECIPE, OVERRIDES)  # loads what is loaded at first use
    torch.set_num_threads(1)
    running = {name: started(name, runs, logs) for name in (*TRAINERS, *READERS)}
    kills, moments = 0, max(1, round(seconds / LIVES))
    for _ in track(range(moments), description="processes on one folder", disable=not sys.stderr.isatty()):
        time.sleep(draws.uniform(0.5, 1.5) * seconds / moments)
        name = draws.choice(TRAINERS)
        end(running[name])
        kills += 1
        running[name] = started(name, runs, logs)
    for process in running.values():
        end(process)
    counts = counted(logs)
    problems = [
        f"{name}: {how}" for name, ended in counts.items() for how in ended if how not in ("ended", "busy", "told")
    ]
    problems += [f"{name}: never came to an end" for name, ended in counts.items() if not ended]
    return counts, kills, problems + broken_after(runs)


def broken_after(runs: Path) -> list[str]:
    """What is not as it should be when all processes are dead."""
    problems = []
    for seed in SEEDS:
        try:
            run = zoo.train(RECIPE, OVERRIDES, runs=runs, seed=seed, resume=True)
        except Exception as error:
            problems.append(f"seed {seed}: the next process does not go on: {error!r}")
            continue
        if is_claimed(run.path):
            problems.append(f"{run.path}: is held by nobody, and locked")
        if left := list(run.path.glob("*.part")):
            problems.append(f"{run.path}: {left[0].name} is left")
    for path in runs.glob("**/seed-*"):
        if path.is_dir() and is_finished(path) and not zoo.evaluate(path).agrees:
            problems += [f"{path}: does not score what it recorded"]
    return problems


def started(verb: str, runs: Path, logs: Path) -> int:
    """A process that does one thing again and again, and notes how each time ended; its number."""
    process = os.fork()
    if process:
        return process
    try:
        with (logs / f"{verb}.jsonl").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        repeat(verb, runs)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def end(process: int) -> None:
    """Kill a process, which leaves it no chance to tidy up."""
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def repeat(verb: str, runs: Path) -> None:
    """In a process of its own: do it until somebody kills it."""
    act = acts(runs)[verb]
    for turn in range(sys.maxsize):
        how, said = attempt(act, SEEDS[turn % len(SEEDS)])
        print("\n" + json.dumps({"how": how, "said": said}), flush=True)
        time.sleep(0.05)


def attempt(act: Callable[[int], object], seed: int) -> tuple[str, str]:
    """How a call ended: well, refused because another process trains, told with another reason, or broken."""
    try:
        act(seed)
    except RunBusy as error:
        return "busy" if "process " in str(error) else "busy, by nobody knows whom", str(error)
    except USER_ERRORS as error:
        return "told", str(error)
    except Exception as error:
        return f"broken: {error!r}", repr(error)
    return "ended", ""


def acts(runs: Path) -> dict[str, Callable[[int], object]]:
    """What each process does, for a seed."""
    recipe = load(RECIPE, OVERRIDES)

    def as_study(seed: int) -> None:
        ended = train_job(Job.of(recipe, seed, runs), "cpu")
        if ended.status == "busy":
            raise RunBusy(ended.reason)
        if ended.status != "done":
            raise RuntimeError(ended.reason)

    def evaluated(seed: int) -> None:
        for path in find([runs], "evaluate"):
            if not zoo.evaluate(path).agrees:
                raise RuntimeError(f"{path} does not score what it recorded")

    def plotted(seed: int) -> None:
        for path in find([runs], "plot"):
            for name, figure in draw(Run(path)).items():
                save(figure, runs.parent / "plots" / name, ["png"])

    return {
        "train": lambda seed: zoo.train(recipe, runs=runs, seed=seed),
        "again": lambda seed: zoo.train(recipe, runs=runs, seed=seed, again=True),
        "resume": lambda seed: zoo.train(recipe, runs=runs, seed=seed, resume=True),
        "study": as_study,
        "together": lambda seed: train_together(recipe, runs=runs, seeds=SEEDS, again=seed == SEEDS[0]),
        "evaluate": evaluated,
        "compare": lambda seed: cells_of_runs([str(runs)]),
        "plot": plotted,
    }


def counted(logs: Path) -> Counts:
    """How calls ended, by who made them."""
    counts: Counts = {}
    for name in (*TRAINERS, *READERS):
        lines = (logs / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        notes = [json.loads(line)["how"] for line in lines if line.startswith("{") and line.endswith("}")]
        counts[name] = Counter(notes)
        traces = sum(line.startswith("Traceback") for line in lines)
        if traces:
            counts[name]["traces"] = traces
    return counts


def show(counts: Counts, kills: int, problems: list[str]) -> None:
    """Print what was counted."""
    table = Table("process", "calls", "ended well", "busy, and told by whom", "told otherwise", "broken")
    for name, ended in counts.items():
        good = ended["ended"], ended["busy"], ended["told"]
        table.add_row(name, *map(str, (ended.total(), *good, ended.total() - sum(good))))
    console = Console(width=120, markup=False)
    console.print(table)
    console.print(f"{kills} processes killed; {len(problems)} problems")
    for problem in problems[:20]:
        console.print(f"  {problem}")


if __name__ == "__main__":
    main()
