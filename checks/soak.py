"""Whether a process can train many runs in a row and is left as it was: memory, files, processes, threads.

    python checks/soak.py --runs 200

Short trainings of every kind go round in one process: whole graphs, samples with a worker, links, many graphs, a bound
that is steered, members together, blocks run again, a run that is broken off and resumed, and some that fail. Memory is
the largest resident size over a round of all kinds; that of the round which ends at `--settle` is compared with that of
the last one. The first rounds are not: they load libraries, compile loops and fill pools, once for a process. Each
round ends with a collection of garbage: networks and data need none, but a run that is drawn leaves 47,000 objects in
cycles, which Python collects when it likes. Lock files beside the runs stay on purpose: to delete one that another
process waits for would let two hold it.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

import zoo
from zoo.errors import BuildError
from zoo.plots import draw, save
from zoo.training.outcome import Measured, Row


class Stop(Exception):
    """What breaks a training off, as a full disk or a bug of a watcher would."""


class Stopper:
    """A watcher that breaks the training off once it has been validated so often."""

    def __init__(self, built: object, after: int = 3) -> None:
        self.left = after

    def measured(self, row: Measured) -> None:
        """Count a validation."""
        self.left -= 1
        if not self.left:
            raise Stop

    def probed(self, row: Row) -> None:
        """Nothing to do."""


def varied(number: int, **overrides: object) -> dict[str, object]:
    """The overrides with a graph of its own for each number: what is kept by graph or by shape would add up."""
    nodes = {} if "dataset.nodes" in overrides else {"dataset.nodes": 200 + number % 31}
    return {"training.duration": "4 epochs", "dataset.seed": number, **nodes, **overrides}


def trained(recipe: str, status: str = "finished", **overrides: Any) -> Callable[[Path, int], None]:
    """A training that ends by itself, in the way that is expected."""

    def run(runs: Path, number: int) -> None:
        ended = zoo.train(recipe, varied(number, **overrides), seed=number, runs=runs)
        assert ended.status == status, f"{recipe} ended {ended.status}, not {status}"

    return run


def together(runs: Path, number: int) -> None:
    """Two seeds as one training."""
    zoo.train_together("smoke/res-gcn", varied(number, probes="none"), seeds=[number, number + 1], runs=runs)


def resumed(runs: Path, number: int) -> None:
    """A training that is broken off, and gone on with from its saved state."""
    overrides = varied(number, **{"training.duration": "6 epochs", "training.save": "2 epochs"})
    broken_off(runs, number, overrides)
    assert zoo.train("smoke/res-gcn", overrides, seed=number, runs=runs, resume=True).status == "finished"


def broken_off(runs: Path, number: int, overrides: dict[str, object] | None = None) -> None:
    """A training that an error ends."""
    try:
        zoo.train("smoke/res-gcn", overrides or varied(number), seed=number, runs=runs, watch=Stopper)
    except Stop:
        return
    raise AssertionError("the error of a watcher was lost")


def refused(runs: Path, number: int) -> None:
    """A recipe whose parts do not fit together."""
    try:
        zoo.train("smoke/res-gcn", {"split": {"name": "balanced", "per_class": 10_000}}, seed=number, runs=runs)
    except BuildError:
        return
    raise AssertionError("a split that cannot be made was not refused")


def looked_at(runs: Path, number: int) -> None:
    """A training whose run is then drawn, scored again, probed and loaded."""
    run = zoo.train("smoke/res-gcn", varied(number, probes="standard"), seed=number, runs=runs)
    for name, figure in draw(run).items():
        save(figure, run.path / "plots" / name, ["png"])
    assert zoo.evaluate(run).agrees
    zoo.probe_run(run)
    zoo.load(run)
    list(zoo.probe("smoke/res-gcn", varied(number), depths=[1, 3], seed=number))


KINDS: dict[str, Callable[[Path, int], None]] = {
    "GCN": trained("smoke/res-gcn"),
    "GAT, c auto": trained("smoke/res-gat"),
    "neighbours": trained("smoke/neighbor", "finished", **{"task.sampler.workers": 1}),
    "clusters": trained("smoke/cluster"),
    "c adaptive": trained("smoke/res-gcn", **{"normalizer.c": "adaptive", "probes": "deep"}),
    "links": trained("smoke/links"),
    "graphs": trained("smoke/graphs", "finished", **{"dataset.nodes": 12}),
    "reversible": trained("smoke/rev-gnn"),
    "together": together,
    "resumed": resumed,
    "looked at": looked_at,
    "non-finite": trained("smoke/res-gcn", "non-finite", **{"optimizer.lr": 1e30, "normalizer": "none"}),
    "broken off": broken_off,
    "refused": refused,
}


@dataclass(frozen=True)
class Held:
    """What a process holds. resident: MiB. files: descriptors. left: in the folder for temporary files."""

    resident: float
    files: int
    threads: int
    children: int
    left: int

    WORDS: ClassVar = {
        "files": "open files, sockets and pipes",
        "threads": "threads",
        "children": "child processes",
        "left": "temporary files",
    }

    @classmethod
    def now(cls, temporary: Path) -> "Held":
        """By this process, at this moment."""
        process = psutil.Process()
        return cls(
            process.memory_info().rss / 2**20,
            process.num_fds(),
            process.num_threads(),
            len(process.children(recursive=True)),
            sum(file.is_file() for file in temporary.rglob("*")),  # PyTorch makes an empty folder there
        )

    @classmethod
    def most(cls, several: Sequence["Held"]) -> "Held":
        """The largest of each figure."""
        return cls(*(max(getattr(held, field.name) for held in several) for field in fields(cls)))


def main() -> None:
    """Print what was held then and at the end; exit code 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="how many")
    parser.add_argument("--settle", type=int, default=20, help="the run that ends the round compared with the last one")
    parser.add_argument("--growth", type=float, default=5.0, help="per cent that resident memory may grow in between")
    options = parser.parse_args()
    if not len(KINDS) <= options.settle < options.runs:
        parser.error(f"--settle {options.settle} — expected {len(KINDS)}, which are a round, up to --runs less 1")
    began = time.perf_counter()
    held, drafts = soak(options.runs)
    print(f"{options.runs} runs of {len(KINDS)} kinds in {time.perf_counter() - began:.0f} s")
    broken = judged(held, drafts, options.settle, options.growth)
    print("\n".join(broken) or "nothing was left behind")
    sys.exit(1 if broken else 0)


def soak(count: int) -> tuple[list[Held], list[str]]:
    """Train so many runs; returns what was held after each, and drafts that were left in their folders."""
    names = list(KINDS)
    held: list[Held] = []
    with tempfile.TemporaryDirectory() as place:
        runs, temporary = Path(place) / "runs", Path(place) / "temporary"
        temporary.mkdir()
        before, tempfile.tempdir = tempfile.tempdir, str(temporary)
        try:
            for number in track(range(count), "runs", console=Console(stderr=True), transient=True):
                KINDS[names[number % len(names)]](runs, number)
                if number % len(names) == len(names) - 1:
                    gc.collect()
                held.append(Held.now(temporary))
        finally:
            tempfile.tempdir = before
        return held, [str(file.relative_to(runs)) for file in runs.rglob("*.part*")]


def judged(held: Sequence[Held], drafts: Sequence[str], settle: int, growth: float) -> list[str]:
    """Print the table, and return the promises that were broken, each in a line."""
    then, now = (Held.most(held[end - len(KINDS) : end]) for end in (settle, len(held)))
    table = Table("held", f"to run {settle}", f"to run {len(held)}", "promised")
    grown = 100 * (now.resident / then.resident - 1)
    table.add_row(
        "resident memory, MiB", f"{then.resident:.1f}", f"{now.resident:.1f}", f"{grown:+.1f} %, at most {growth:+g} %"
    )
    broken = [f"memory grew by {grown:.1f} % — expected at most {growth:g} %"] if grown > growth else []
    promised = {"files": then.files, "threads": then.threads, "children": 0, "left": 0}
    for name, most in promised.items():
        figures = getattr(then, name), getattr(now, name)
        table.add_row(Held.WORDS[name], *map(str, figures), f"at most {most}")
        if figures[1] > most:
            broken.append(f"{Held.WORDS[name]}: {figures[1]} — expected at most {most}")
    if drafts:
        broken.append(f"drafts of files were left: {', '.join(drafts[:3])} — expected none")
    Console(width=100).print(table)
    return broken


if __name__ == "__main__":
    main()
