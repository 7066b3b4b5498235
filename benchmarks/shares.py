"""What parts of the zoo cost: normalisers and probes as shares of a step, imports, a study's processes.

    python benchmarks/shares.py [--what normalizers probes imports studies] [--depth 512] [--budget 60]

The share of a part is 1 − t/t′, round by round, with t′ the time of an epoch with it and t of one without. Everything
is measured in turns, in as many rounds as there is time for, which the table says. With the default budget it takes
some six minutes on two cores. Method and reading: docs/benchmarks.md.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compared.publish import FOLDER, publish
from compared.threads import set_threads

NORMALIZERS = {
    "frobenius": {"name": "frobenius"},
    "spectral, gram": {"name": "spectral", "method": "gram"},
    "spectral, power": {"name": "spectral", "method": "power"},
}
STARTS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import dgl (by the zoo)": ["-c", "from zoo.dgl_backend import dgl"],
    "import zoo": ["-c", "import zoo"],
    "zoo --help": ["-m", "zoo", "--help"],
    "zoo list models": ["-m", "zoo", "list", "models"],
}
Say = Callable[[str], None]


def main() -> None:
    """Measure what was asked for, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--depth", type=int, default=512, help="blocks of the normalisers' network")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--recipe", default="cora-res-gcn-64", help="of the probes' and the study's network")
    parser.add_argument("--rounds", type=int, default=15, help="at most")
    parser.add_argument(
        "--budget", type=float, default=60.0, help="seconds of each part after which no other round of it begins"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=FOLDER / "shares")
    given = parser.parse_args()
    set_threads(given.threads)
    measure(given)


def measure(given: argparse.Namespace) -> None:
    """Part by part."""
    from rich.console import Console
    from rich.progress import Progress

    from compared.environment import environment
    from compared.records import Records

    records = Records(given.out.with_suffix(".json"))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(given.what))
        for part in given.what:
            found = {"found": PARTS[part](given, _say(progress, bar, part)), "environment": environment(given.threads)}
            records.put(part, "", found)
            publish(given.out, document(records))
            progress.advance(bar)
    Console().print(given.out.with_suffix(".md").read_text("utf-8"), markup=False, soft_wrap=True)


def _say(progress: Any, bar: Any, part: str) -> Say:
    """What a part tells of itself, as the bar's description, or as lines where nobody watches a bar."""

    def say(what: str) -> None:
        progress.update(bar, description=f"{part}: {what}")
        if not progress.console.is_terminal:
            progress.console.print(f"{part}: {what}", markup=False, highlight=False)

    return say


def normalizers(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Quartiles of the share of a step that each normaliser takes; their networks are otherwise the same."""
    from compared.allocator import one_arena
    from compared.points import BASE, Point
    from compared.race import Limits, race
    from compared.ratios import quartiles
    from compared.zoo_training import ZooTraining

    one_arena()
    point = Point("cora", "gcn", given.depth, given.width)

    def training(name: str, normalizer: Any) -> ZooTraining:
        overrides = {**point.overrides, "normalizer": normalizer}
        return ZooTraining(name, BASE, overrides, largest=point.norm, threads=given.threads)

    c = {"frobenius": point.norm}  # both bounds hold from the start, and bind
    trainings = [training("none", "none")]
    for name, normalizer in NORMALIZERS.items():
        bound = c.get(name, point.norm / given.width**0.5)
        trainings.append(training(name, {**normalizer, "c": bound}))
    limits = Limits(repeats=given.rounds, budget=given.budget, check=2, tolerance=float("inf"))
    seconds = race(trainings, limits, say).seconds
    for each in trainings:
        each.close()
    plain = seconds.pop("none")
    return {
        "point": point.plain,
        "rounds": len(plain),
        "none": quartiles(plain),
        "share": {
            name: quartiles([1 - one / other for one, other in zip(plain, times, strict=True)])
            for name, times in seconds.items()
        },
    }


def probes(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Quartiles of the time of an epoch over one without probes, and the median of peak memory."""
    from compared.ratios import quartiles
    from probe_overhead import peaks, times

    ratios = times(given.recipe, given.rounds, given.budget / 2, say)
    memory = peaks(given.recipe, given.budget / 2, say)
    return {
        "recipe": given.recipe,
        "rounds": len(ratios["none"]),
        "processes": len(memory["none"]),
        "times": {case: quartiles(found) for case, found in ratios.items()},
        "peaks": {case: statistics.median(found) for case, found in memory.items()},
    }


def imports(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Seconds of whole processes, quartiles, in turns; and the slowest of what `import zoo` imports, itself only."""
    from compared.ratios import quartiles
    from compared.rounds import rounds

    found: dict[str, list[float]] = {name: [] for name in STARTS}
    for number in rounds(given.rounds + 1, given.budget, 4):  # the first fills the disk's cache, and is not counted
        say(f"round {number}")
        for name, words in STARTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            found[name].append(time.perf_counter() - began)
    seconds = {name: quartiles(times[1:]) for name, times in found.items()}
    return {"rounds": len(found["python"]) - 1, "seconds": seconds, "slowest": _slowest()}


def _slowest(many: int = 8) -> dict[str, float]:
    """Seconds by top-level package, of the modules that `import zoo` loads."""
    command = [sys.executable, "-X", "importtime", "-c", "import zoo"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    seconds: dict[str, float] = {}
    for line in lines[1:]:
        own, _, name = line.removeprefix("import time:").split("|")
        package = name.strip().partition(".")[0]
        seconds[package] = seconds.get(package, 0.0) + int(own) / 1e6
    return dict(sorted(seconds.items(), key=lambda pair: -pair[1])[:many])


def studies(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Seconds of runs one after the other, of a study on all cores, and the ratio; they take turns in being first."""
    from compared.ratios import of_rounds
    from compared.rounds import rounds
    from study_throughput import sequential, study

    options = argparse.Namespace(recipe=given.recipe, epochs=40, seeds=4)
    cores = len(os.sched_getaffinity(0))
    ways: dict[str, Callable[[], float]] = {
        "alone": lambda: sequential(options, cores),
        "study": lambda: study(options),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for number in rounds(given.rounds, given.budget, 2):
        for way in ways if number % 2 == 0 else reversed(ways):
            say(f"round {number + 1}, {way}")
            found[way].append(ways[way]())
    return {**vars(options), "cores": cores, **found, "ratio": of_rounds(found["alone"], found["study"])}


PARTS: dict[str, Callable[[argparse.Namespace, Say], dict[str, Any]]] = {
    "normalizers": normalizers,
    "probes": probes,
    "imports": imports,
    "studies": studies,
}


def document(records: Any) -> str:
    """The figures as Markdown."""
    from compared.environment import words
    from compared.tables import table

    parts = ["Made by `python benchmarks/shares.py`."]
    for record in records.of("normalizers"):
        found, at = record["found"], record["found"]["point"]
        rows = [
            [name, f"{_percent(share[1])} ({_percent(share[0])}–{_percent(share[2])})"]
            for name, share in found["share"].items()
        ]
        title = f"## Normalisers: share of a step, {at['depth']} GCN blocks of width {at['width']} on {at['data']}"
        parts += [title, table(["normaliser", "share of an epoch"], rows), *filter(None, [_rounds(found)])]
    for record in records.of("probes"):
        found = record["found"]
        none, processes = found["peaks"]["none"], found["processes"]
        rows = [
            [
                case,
                f"{middle:.3f} × ({low:.3f}–{high:.3f})",
                f"{found['peaks'][case]:.0f} MiB, {found['peaks'][case] / none:.3f} ×",
            ]
            for case, (low, middle, high) in found["times"].items()
        ]
        parts += [
            f"## Probes, read at every step of `{found['recipe']}`",
            table(["probes", "time of an epoch", "peak memory"], rows),
            f"{_rounds(found)} Memory: the median of {processes} process{'es' * (processes > 1)} each.",
        ]
    for record in records.of("imports"):
        found = record["found"]
        rows = [
            [f"`{name}`" if name != "python" else name, f"{middle:.2f} s ({low:.2f}–{high:.2f})"]
            for name, (low, middle, high) in found["seconds"].items()
        ]
        slowest = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["slowest"].items())
        parts += [
            "## Starting",
            table(["process", "wall time"], rows),
            f"{_rounds(found)} Of `import zoo`, by package: {slowest}.".strip(),
        ]
    for record in records.of("studies"):
        found = record["found"]
        rows = [
            [f"{alone:.1f} s", f"{together:.1f} s", f"{alone / together:.2f}"]
            for alone, together in zip(found["alone"], found["study"], strict=True)
        ]
        low, middle, high = found["ratio"]
        heads = [f"one after the other, {found['cores']} threads", f"study, {found['cores']} processes", "ratio"]
        what = (
            f"{found['seeds']} runs of `{found['recipe']}`, {found['epochs']} epochs; whole processes, a round a row; "
            f"median of the ratios {middle:.2f} ({low:.2f}–{high:.2f})."
        )
        parts += ["## Studies", table(heads, rows), what]
    where = dict.fromkeys(words(record["environment"]) for record in records.found.values())
    return "\n\n".join([*parts, "\n".join(["Measured:", "", *(f"- {each}" for each in where)])]) + "\n"


def _rounds(found: dict[str, Any]) -> str:
    """How many rounds the quartiles are of; nothing for a measurement that did not say."""
    return f"Median and quartiles of {found['rounds']} rounds." if "rounds" in found else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
