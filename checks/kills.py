"""Whether a run that is killed, at any moment, and resumed leaves what an uninterrupted one leaves, to the bit.

    python checks/kills.py --kills 100      # at moments drawn uniformly over the life of `zoo train`
    python checks/kills.py --at-saves       # at every call that puts something on the disk or changes a name there

Each kind of run is made once without a kill. Then `zoo train … --resume` is begun, killed with SIGKILL and begun again,
one to three times, and at last left to itself. Compared are metrics.jsonl and probes.jsonl (without the times that were
measured), result.json (likewise) and the bytes of model.safetensors; besides, that no more than the steps between two
saves were lost. Data: Cora where ZOO_DATA has it, else a random graph.

With --at-saves the k-th such call of a run kills it, for k = 1, 2, … until a run gets by: during a save and between its
steps, while the folder is made, while a run in the way is moved aside, and while the run is finished.

A process of its own takes seconds to load libraries, so runs are forks of one that has loaded them; each calls the
command's own `main`. Exit code 1 where anything differs.
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import track
from rich.table import Table

from zoo.cli.main import main as zoo_main
from zoo.datasets.store import DATA
from zoo.errors import ZooError

COMMON = ["probes={name: quick, every: 2 epochs}", "execution.device=cpu", "execution.threads=1", "--quiet"]
GRAPH = ["dataset.name=block-model", "dataset.nodes=300", "dataset.classes=4", "dataset.features=12"]
# Recipe and changes; the first three are of Cora where it is there. Steps saved every: see `SAVE`.
KINDS: dict[str, list[str]] = {
    "GCN": ["smoke/res-gcn", "model.depth=4", "model.dropout=0.3", "training.duration=60 epochs"],
    "GAT": ["smoke/res-gat", "model.depth=2", "training.duration=40 epochs"],
    "adaptive c": [
        "smoke/res-gcn",
        "model.depth=4",
        "normalizer={name: frobenius, c: {name: adaptive, every: 3 steps}}",
        "training.duration=60 epochs",
    ],
    "sampled": ["smoke/neighbor", "training.duration=20 epochs"],
}
ON_CORA = ("GCN", "GAT", "adaptive c")
SAVE = {"sampled": 5}  # steps; in the midst of epochs
EVERY = 4
RARELY = 5  # times that, where every call is tried
BEGINNING = 12  # calls until a run that is in the way has been moved aside, and the new one begun


@dataclass
class Counts:
    """What happened to one kind of run."""

    kills: int = 0
    resumed: int = 0
    anew: int = 0
    runs: int = 0
    exact: int = 0
    wrong: list[str] = field(default_factory=list)


def words_of(kind: str, runs: Path, times: int = 1) -> list[str]:
    """The command of a kind of run, without `zoo`; states are so many times as far apart as usual."""
    cora = ["dataset=cora"] if kind in ON_CORA and has_cora() else GRAPH if kind in ON_CORA else []
    save = f"training.save={SAVE.get(kind, EVERY) * times} steps"
    recipe, *changes = KINDS[kind]
    return ["train", recipe, *cora, *changes, save, *COMMON, "--runs", str(runs)]


def has_cora() -> bool:
    """Whether Cora can be read without the network."""
    return bool(os.environ.get(DATA)) and any(Path(os.environ[DATA]).rglob("*cora*"))


def forked(words: Sequence[str], log: Path, before: Callable[[], None] = lambda: None) -> int:
    """Begin `zoo …` in a fork, which is the leader of a session of its own; returns its process's number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        with log.open("ab") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        sys.argv = ["zoo", *words]
        before()
        zoo_main()
        leave(0)
    except SystemExit as left:
        leave(left.code if isinstance(left.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        leave(1)


def leave(code: int) -> NoReturn:
    """End a fork: nothing of the parent's is flushed or closed twice."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def ended(pid: int) -> int:
    """Wait for a fork: its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_after(pid: int, seconds: float) -> bool:
    """Kill a fork when so much time has passed; whether it lived until then."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if code:
                raise ZooError(f"a run that was not killed ended with {code}")
            return False
        time.sleep(min(left, 0.002))
    os.kill(pid, signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def records(runs: Path) -> dict[str, Any]:
    """What is compared of the one run below a folder."""
    (result,) = (file for file in runs.glob("**/result.json") if file.parent.name == "seed-0")
    folder = result.parent

    def rows(name: str) -> list[dict[str, Any]]:
        file = folder / name
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [{key: value for key, value in row.items() if key != "seconds"} for row in found]

    values = json.loads(result.read_text())
    return {
        "metrics.jsonl": rows("metrics.jsonl"),
        "probes.jsonl": rows("probes.jsonl"),
        "result.json": {key: value for key, value in values.items() if not key.startswith("seconds")},
        "model.safetensors": (folder / "model.safetensors").read_bytes(),
        "names of files": sorted(file.name for file in folder.iterdir()),
    }


def standing(runs: Path) -> tuple[int, int | None]:
    """How many steps a killed run had measured, and the step of its state; None where it has none that is whole."""
    import torch

    measured = [sum(line.endswith("\n") for line in file.open()) for file in runs.glob("**/seed-0/metrics.jsonl")]
    for name in ("state.pt", "state.previous.pt"):
        for file in runs.glob(f"**/seed-0/{name}"):
            return sum(measured), int(torch.load(file, weights_only=True)["step"])
    return sum(measured), None


class Check:
    """Makes, kills, resumes and compares runs below a folder."""

    def __init__(self, folder: Path, kinds: Sequence[str], times: int) -> None:
        self.times = times
        self.folder, self.log = folder, folder / "log.txt"
        self.counts = {kind: Counts() for kind in kinds}
        self.whole: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}
        self.number = 0
        for kind in kinds:
            began = time.monotonic()
            if code := ended(forked(words_of(kind, folder / kind, times), self.log)):
                raise ZooError(f"{kind} — the run without a kill ended with {code}:\n{self.log.read_text()[-2000:]}")
            self.seconds[kind] = time.monotonic() - began
            self.whole[kind] = records(folder / kind)

    def place(self) -> Path:
        """A folder for the next run."""
        self.number += 1
        return self.folder / str(self.number)

    def note(self, kind: str, runs: Path) -> None:
        """Take down a kill, and check what it cost: steps since the last save at most."""
        counts = self.counts[kind]
        counts.kills += 1
        measured, step = standing(runs)
        finished = bool(list(runs.glob("**/seed-0/result.json")))
        counts.resumed += step is not None and not finished
        counts.anew += step is None and not finished
        per_step = 1 if kind != "sampled" else 0  # rows of sampled runs are of epochs
        lost = per_step * (measured - (step or 0))
        if not finished and lost > EVERY * self.times:
            counts.wrong.append(f"{runs.name}: {lost} steps lost")

    def finish(self, kind: str, runs: Path) -> None:
        """Resume to the end, and compare."""
        counts = self.counts[kind]
        counts.runs += 1
        if code := ended(forked([*words_of(kind, runs, self.times), "--resume"], self.log)):
            counts.wrong.append(f"{runs.name}: resumed, it ended with {code}")
            return
        found = records(runs)
        different = [name for name, value in self.whole[kind].items() if found[name] != value]
        counts.exact += not different
        if different:
            counts.wrong.append(f"{runs.name}: {', '.join(different)} differ")

    def kill_at_random(self, kind: str, times: int, draw: random.Random) -> int:
        """One run, killed so often at most, at moments uniform over what is left of it; returns how often it was."""
        runs, left, kills = self.place(), self.seconds[kind], 0
        for _ in range(times):
            moment = draw.uniform(0, left)
            if not killed_after(forked([*words_of(kind, runs, self.times), "--resume"], self.log), moment):
                break
            self.note(kind, runs)
            kills += 1
            left -= moment / 2  # part of it was getting ready, which is done again
        self.finish(kind, runs)
        return kills

    def kill_at_call(self, kind: str, number: int, aside: bool) -> bool:
        """One run, killed at its so-manyth call; whether it made so many. aside: where one that is unfinished lies."""
        runs = self.place()
        words = words_of(kind, runs, self.times)
        if aside:
            ended(forked(words, self.log, lambda: kill_at(12)))
        pid = forked([*words, "--again" if aside else "--resume"], self.log, lambda: kill_at(number))
        code = ended(pid)
        if code == 0:
            return False
        if code != -signal.SIGKILL:
            self.counts[kind].wrong.append(f"call {number}: ended with {code}")
        self.note(kind, runs)
        self.finish(kind, runs)
        return True


def kill_at(number: int) -> None:
    """Have this process killed at the so-manyth call that writes through to the disk or changes a name there."""
    calls = 0

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return made

    for name in ("fsync", "replace", "rename", "unlink", "mkdir", "truncate"):
        setattr(os, name, deadly(getattr(os, name)))


def warmed(folder: Path, kinds: Sequence[str]) -> None:
    """Load what a training loads: what is forked afterwards has it.

    Which those are is asked of forks that train: a process that has computed may hold threads that no fork gets.
    """
    listed = folder / "modules.txt"

    def listing() -> None:
        leaving = os._exit

        def leave(code: int) -> NoReturn:
            listed.write_text("\n".join(sys.modules))
            leaving(code)

        os._exit = leave

    for kind in kinds:
        words = [*words_of(kind, folder / f"warm-{kind}"), "training.duration=1 epochs"]
        ended(forked(words, folder / "warm.txt", listing))
        for name in listed.read_text().splitlines() if listed.exists() else ():
            if name.startswith(("zoo", "torch", "dgl", "numba", "rich", "safetensors", "pandas", "scipy", "pydantic")):
                with suppress(Exception):
                    importlib.import_module(name)


def table_of(check: Check) -> Table:
    """What was found, a row for each kind of run."""
    table = Table("run", "seconds", "kills", "resumed", "started anew", "runs", "exactly as without a kill", box=None)
    for kind, found in check.counts.items():
        figures = (found.kills, found.resumed, found.anew, found.runs, found.exact)
        table.add_row(kind, f"{check.seconds[kind]:.1f}", *map(str, figures))
    total = [
        sum(getattr(found, name) for found in check.counts.values())
        for name in ("kills", "resumed", "anew", "runs", "exact")
    ]
    table.add_row("all", f"{sum(check.seconds.values()):.1f}", *map(str, total))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill runs, resume them, print what came of it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many in all")
    parser.add_argument("--at-saves", action="store_true", help="at every call that writes, in place of random moments")
    parser.add_argument("--stride", type=int, default=1, help="with --at-saves: only every so-manyth call")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args(arguments)
    kinds = [kind.strip() for kind in given.kinds.split(",")]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        parser.error(f"--kinds — {', '.join(unknown)} is none — expected some of {', '.join(KINDS)}")
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        warmed(Path(folder), kinds)
        check = Check(Path(folder), kinds, RARELY if given.at_saves else 1)
        if given.at_saves:
            for kind in kinds:
                for aside in (False, True):
                    number = 1
                    while not (aside and number > BEGINNING) and check.kill_at_call(kind, number, aside):
                        number += given.stride
                        console.print(f"{kind}: call {number}", end="\r")
        else:
            draw, left = random.Random(given.seed), given.kills
            bar = iter(track(range(given.kills), "kills", console=console, transient=True))
            while left > 0:
                kind = kinds[check.number % len(kinds)]
                made = check.kill_at_random(kind, min(left, draw.randint(1, 3)), draw)
                left -= made
                for _ in range(made):
                    next(bar)
    Console(width=120).print(table_of(check))
    wrong = [f"{kind} {what}" for kind, found in check.counts.items() for what in found.wrong]
    for what in wrong:
        print(what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
