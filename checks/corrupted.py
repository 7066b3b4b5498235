"""What the zoo makes of damaged files: a message, or an answer that is right; never a trace, a hang, or more damage.

    python checks/corrupted.py [--count 2000] [--seed 0] [--workers 2] [--one NUMBER]

Finished and unfinished runs, their saved states and weights, a study's runs and the files of data sets are damaged, one
file at a time, each by a number that gives the same again, and read by what reads them, in processes of their own with
5 s of the processor and 3 GiB of memory for each. Outcomes:

    refused   one message that names a file or folder, exit code 2
    noticed   `zoo evaluate` says that the figure is not the recorded one, exit code 1
    recovered an unfinished run ends with the figures of one that was never broken off
    read      what was damaged was not needed, or it is a number that nothing vouches for
    FAILED    anything else: a trace, a hang, a file that was written to but not by what writes there, a data set
              accepted although its digest is known and another

Data sets are small ones of all formats, read with digests out of force, so that the parsers see the damage, and the
real ones that ZOO_DATA has, with digests in force. The exit code is 1 if anything failed.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from hostile import data, runs
from hostile.damage import copied, damage
from hostile.guard import Ended, attempt, command, limit_memory, obeyed
from hostile.pool import FAILED, Verdict, over, report
from hostile.sandbox import Sandbox, changes, digests

ROOM = 3 << 30  # bytes of memory beside what the libraries take
LONGEST = 20_000  # characters of a message
_world: list[tuple[Sandbox, Path, int, list[str]]] = []
Judged = tuple[str, str, str]  # outcome, why it is a failure, and what failures of the same cause have in common


def begin(root: str, seed: int, real: list[str]) -> None:
    """Give this process its sandbox and limits."""
    import torch

    torch.set_num_threads(1)
    _world[:] = [(Sandbox(Path(root, "processes", str(os.getpid()))), Path(root), seed, real)]
    limit_memory(ROOM)


def judged(number: int) -> Verdict:
    """Damage by a number, read, and judge."""
    sandbox, source, seed, real = _world[0]
    sandbox.clear()
    rng = random.Random(f"{seed}/{number}")
    kinds: list[tuple[int, Callable[..., tuple[str, str, Judged]]]] = [(40, _run), (18, _resumed), (8, _study)]
    kinds += [(24, _made), (10 if real else 0, _real)]
    kind = rng.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]
    before = sandbox.listing()
    with sandbox.entered():
        tried, done, (outcome, why, alike) = kind(rng, sandbox, source, real)
    if strayed := changes(before, sandbox.listing()):
        outcome, why, alike = FAILED, f"{', '.join(strayed)}\n{why}", strayed[0]
        sandbox.reset()
    return Verdict(number, tried, outcome, f"{done}\n{why}" if why else "", alike)


def _run(rng: random.Random, sandbox: Sandbox, source: Path, real: list[str]) -> tuple[str, str, Judged]:
    """A finished run, read in any way that there is."""
    name = rng.choice(list(runs.RECIPES))
    root = copied(source / "runs" / name, sandbox.files / "runs")
    (path,) = (file.parent for file in root.glob("**/result.json"))
    done, file = damage(rng, path)
    before = digests(root)
    to = sandbox.runs
    readers: dict[str, Callable[[], object]] = {
        "zoo compare": lambda: command(["compare", str(root), "--values"]),
        "zoo evaluate": lambda: command(["evaluate", str(path), "--output", str(to / "said.npz")]),
        "zoo plot": lambda: command(["plot", str(path), "--to", str(to), "--format", "svg"]),
        "zoo probe": lambda: command(["probe", str(path), "--probes", "quick"]),
        "zoo show": lambda: command(["show", str(path / "recipe.yaml")]),
        "zoo train": lambda: _trained(name, root),
        "zoo.Run": lambda: _fields(path),
        "zoo.load": lambda: _loaded(path),
        "read_predictions": lambda: _predictions(path),
    }
    reader = rng.choice(list(readers))
    judged = _judge(readers[reader], evaluates=reader == "zoo evaluate")
    after = digests(root)
    if reader == "zoo train":  # which may write where no finished run is; what was there has to be there still
        lost = set(before.values()) - set(after.values()) - {"folder"}
        changed = [name for name, digest in before.items() if digest in lost and "state" not in name]
    else:
        changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    del real
    if changed:
        judged = FAILED, f"written to or lost: {', '.join(sorted(changed))}\n{judged[1]}", f"{reader} writes"
    return f"run: {reader}", f"{file.name} {done}, {reader}", judged


def _resumed(rng: random.Random, sandbox: Sandbox, source: Path, real: list[str]) -> tuple[str, str, Judged]:
    """A run that was broken off, resumed: refused, begun anew, or ended as if nothing had happened."""
    from zoo.runs.run import Run

    del real
    root = copied(source / "runs" / "unfinished", sandbox.files / "runs")
    (path,) = (file.parent for file in root.glob("**/metrics.jsonl"))
    done, file = damage(rng, path)
    before = digests(root)
    judged = _judge(lambda: runs.go_on(root))
    after = digests(root)
    kept = set(after.values())
    lost = [name for name, digest in before.items() if digest not in kept and digest != "folder"]
    expected = ("state", "metrics.jsonl", "probes.jsonl")  # cut back, then grown; states are for unfinished runs
    if judged[0] == "refused" and before != after and not file.is_dir():
        lost += [name for name in before if before[name] != after.get(name)]
    if wrong := [name for name in lost if not Path(name).name.startswith(expected)]:
        return "unfinished run", f"{file.name} {done}, --resume", (FAILED, f"lost: {wrong}\n{judged[1]}", "resume lost")
    if judged[0] == "read":
        (whole,) = (found.parent for found in (source / "runs" / "whole").glob("**/result.json"))
        ours, theirs = Run(path), Run(whole)
        weights = [(folder / "model.safetensors").read_bytes() for folder in (path, whole)]
        if (ours.val, ours.test) == (theirs.val, theirs.test) and weights[0] == weights[1]:
            judged = "recovered", "", ""
        elif done != "another archive":  # whose check sums are right: nothing vouches for what it says
            judged = FAILED, "it ended otherwise", "resume differs"
    return "unfinished run", f"{file.name} {done}, --resume", judged


def _study(rng: random.Random, sandbox: Sandbox, source: Path, real: list[str]) -> tuple[str, str, Judged]:
    """A study with a damaged run: looked at, tabulated, gone on with."""
    del real
    root, study = copied(source / "runs" / "study", sandbox.files / "runs"), sandbox.files / "small.yaml"
    shutil.copyfile(source / "runs" / "small.yaml", study)
    done, file = damage(rng, rng.choice(sorted(found.parent for found in root.glob("**/result.json"))))
    before = digests(root)
    verb = rng.choice(("status", "table", "plot", "run"))
    if verb == "run":
        reasons: list[str] = []
        judged = _judge(lambda: reasons.extend(runs.restart(study, root)))
        if traced := [reason for reason in reasons if not reason.isprintable() or "Error: " in reason]:
            judged = FAILED, traced[0], "study run"
        kept = set(digests(root).values())
        lost = [name for name, digest in before.items() if digest not in kept]
    else:
        words = ["study", verb, str(study), "--runs", str(root)]
        judged = _judge(lambda: command([*words, "--to", str(sandbox.runs)] if verb == "plot" else words))
        after = digests(root)
        lost = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    if lost:
        judged = FAILED, f"written to or lost: {', '.join(sorted(lost))}\n{judged[1]}", f"study {verb} writes"
    return f"study: {verb}", f"{file.name} {done}, study {verb}", judged


def _made(rng: random.Random, sandbox: Sandbox, source: Path, real: list[str]) -> tuple[str, str, Judged]:
    """A small data set of some format; no digest vouches for it."""
    del real
    form, name = rng.choice(list(data.MADE.items()))
    folder = data.folder_of(source / "made", name)
    root = sandbox.files / "data"
    copied(folder, root / folder.relative_to(source / "made"))
    done, file = damage(rng, root)
    with (
        mock.patch("zoo.datasets.store.accepted", lambda content, digests: True),
        mock.patch("zoo.datasets.ogb.ogb_folder.known_digests", lambda name: {}),
    ):
        judged = _read_data(rng, name, root, sandbox)
    return f"data: {form}", f"{name}: {file.name} {done}", judged


def _real(rng: random.Random, sandbox: Sandbox, source: Path, real: list[str]) -> tuple[str, str, Judged]:
    """A real data set, whose digests are known: nothing but what was published is accepted."""
    name = rng.choice(real)
    folder = data.folder_of(source / "real", name)
    root = sandbox.files / "data"
    target = copied(folder, root / folder.relative_to(source / "real"))
    before = digests(folder)
    done, file = damage(rng, target)
    judged = _read_data(rng, name, root, sandbox)
    after = digests(target)
    touched = {path for path in before if before[path] != after.get(path)}
    vouched = {path for path in touched if _has_digest(name, path)}
    if judged[0] == "read" and vouched:
        judged = FAILED, f"accepted, although {', '.join(vouched)} is another", "digest"
    return "data: real, with digests", f"{name}: {file.name} {done}", judged


def _has_digest(name: str, path: str) -> bool:
    from zoo.datasets.sources import known_digests, source_files

    if name.startswith("ogb"):
        return path in known_digests(name)
    return any(file.path.endswith(f"/{path}") for file in source_files(name))


def _read_data(rng: random.Random, name: str, root: Path, sandbox: Sandbox) -> Judged:
    before = digests(root)
    if rng.random() < 0.35:  # and trained on
        model = "gin" if name in ("mutag", "ogbg-molesol") else "gcn"
        task = "graphs" if model == "gin" else "links" if name.startswith("ogbl") else "nodes"
        recipe = sandbox.files / "small.yaml"
        text = f"task: {task}\ndataset: {name}\nmodel: {{name: {model}, depth: 2, width: 8}}\n"
        text += "training: {duration: 1 epochs}\n"
        text += "split: public\n" if name.startswith("ogb") else "split: {name: random}\n"
        recipe.write_text(text, encoding="utf-8")
        words = ["train", str(recipe), "--quiet", "--runs", str(sandbox.runs)]
    else:
        words = []
    with mock.patch.dict(os.environ, {"ZOO_DATA": str(root), "ZOO_CACHE": str(sandbox.root / "cache")}):
        judged = _judge((lambda: command(words)) if words else (lambda: _dataset(name)))
    if digests(root) != before:
        return FAILED, f"the source was written to\n{judged[1]}", "source"
    return judged


def _dataset(name: str) -> None:
    from registry import TABLES
    from zoo.datasets.store import Store

    TABLES["datasets"].get(name)(Store())


def _fields(path: Path) -> None:
    import zoo.runs.run_table
    from zoo.runs.run import Run

    run = Run(path)
    for field in ("val", "test", "seed", "status", "metric", "normalizers", "environment", "metrics", "probes"):
        getattr(run, field)
    repr(run)
    zoo.runs.run_table.row_of(run)
    zoo.runs.run_table.table_of([run])


def _loaded(path: Path) -> None:
    import zoo

    zoo.load(path)


def _predictions(path: Path) -> None:
    from zoo.runs.predictions import read_predictions

    read_predictions(path / "predictions-test.npz")


def _trained(name: str, root: Path) -> Ended:
    recipe, overrides = runs.RECIPES[name]
    return command(["train", recipe, *runs.SMALL, *overrides, "--runs", str(root), "--quiet"])


def _judge(read: Callable[[], object], *, evaluates: bool = False) -> Judged:
    from zoo.errors import USER_ERRORS

    found: list[object] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = attempt(lambda: found.append(read()))
    if outcome.error is not None and issubclass(outcome.error, USER_ERRORS):
        code, message = 2, f"error: {outcome.said}"
    elif outcome.error is not None:
        return FAILED, outcome.trace, outcome.place
    elif isinstance(found[0], Ended):
        code, message = found[0].code, found[0].stderr
    else:
        code, message = 0, ""
    if code == 0:
        return "read", "", ""
    if code == 1 and evaluates and "differs" in found[0].stdout:  # pyright: ignore[reportAttributeAccessIssue]
        return "noticed", "", ""
    if code != 2 or not message.startswith("error: ") or "—" not in message:
        return FAILED, f"exit code {code}\n{message}", "exit code"
    if obeyed(message):
        return FAILED, f"a message that a terminal would obey\n{message!a}", "terminal"
    if len(message) > LONGEST:
        return FAILED, f"a message of {len(message)} characters\n{message[:2000]}", "long"
    return "refused", "", ""


def main(arguments: list[str] | None = None) -> int:
    """Damage so many, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", type=int, metavar="NUMBER", help="this one alone")
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)  # before processes are forked: threads do not come along
    numbers = range(given.count) if given.one is None else [given.one]
    with tempfile.TemporaryDirectory(prefix="corrupted-") as place:
        root = Path(place)
        runs.make(root / "runs")
        data.make(root / "made")
        real = data.bring(root / "real")
        before = digests(root)
        begun = (str(root), given.seed, real)
        verdicts = list(over(judged, numbers, workers=given.workers, begin=begin, given=begun, title="damaged files"))
        after = {name: digest for name, digest in digests(root).items() if not name.startswith("processes")}
    if given.one is not None:
        print(verdicts[0].why or verdicts[0].outcome)
    code = report(verdicts, f"again: python checks/corrupted.py --seed {given.seed} --one")
    if before != after:
        print("what was damaged copies of was written to itself")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
