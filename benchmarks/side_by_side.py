"""The same training by the zoo, by `dgl.nn` and by PyG: time of an epoch with validation, and memory, side by side.

    python benchmarks/side_by_side.py                          # a few minutes: Cora, 2 and 8 blocks
    python benchmarks/side_by_side.py --preset claims          # what the zoo claims
    python benchmarks/side_by_side.py --preset gpu --gpu       # on a GPU
    python benchmarks/side_by_side.py --data cora --conv gcn --depth 64 512 --width 64 --what times

Figures go to a JSON file and a Markdown file beside it; a point that is measured again replaces its figures there. The
method is described in docs/benchmarks.md.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compared.threads import set_threads


def main() -> None:
    """Measure what was asked for, point by point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    given = parser.parse_args()
    set_threads(given.threads)
    if given.job:
        from compared.children import answer

        print(json.dumps(answer(json.loads(given.job))))
        return
    measure(given)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    from compared.cases import CHECKPOINT, PEERS, STEPPED, ZOO
    from compared.points import MODELS, PRESETS

    add = parser.add_argument
    add("--preset", choices=PRESETS, default="quick", help="which points; ignored where single ones are named")
    add("--data", nargs="+", default=["cora"], help="cora, coauthor-physics, blocks-<nodes>")
    add("--conv", nargs="+", choices=MODELS, help="single points: convolutions")
    add("--depth", nargs="+", type=int, help="single points: numbers of blocks")
    add("--width", nargs="+", type=int, default=[64], help="single points: widths")
    add("--what", nargs="+", choices=("times", "memory"), default=["times", "memory"])
    add(
        "--who",
        nargs="+",
        choices=(ZOO, STEPPED, *PEERS, CHECKPOINT),
        help="contestants; the first is held against the others",
    )
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="changes of the zoo's recipe, as in `zoo train`")
    add("--gpu", action="store_true", help="on a CUDA device: times alone, against PyG and the zoo without CUDA graphs")
    add("--threads", type=int, default=1)
    add("--repeats", type=int, default=15, help="most rounds of a point")
    add("--budget", type=float, default=60.0, help="seconds after which a point begins no other round")
    add("--out", type=Path, help="where figures go, without ending; else docs/benchmarks/<preset>")
    add("--job", help=argparse.SUPPRESS)


def measure(given: argparse.Namespace) -> None:
    """Measure every point, and write after each."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from compared.children import ask
    from compared.environment import environment
    from compared.publish import FOLDER, publish
    from compared.records import Records
    from compared.tables import document

    single = bool(given.conv or given.depth)
    of_threads = f"-{given.threads}-threads" if given.threads > 1 else ""
    out = given.out or FOLDER / f"{'points' if single or given.set else given.preset}{of_threads}"
    records = Records(out.with_suffix(".json"))
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        jobs = planned(given, single)
        bar = progress.add_task("", total=len(jobs))
        for job, title in jobs:
            progress.update(bar, description=title)
            where = environment(given.threads)
            found = ask(job, lambda text, title=title: progress.update(bar, description=f"{title} · {text}"))
            name = {"name": job["name"]} if "name" in job else {}
            records.put(job["what"], title, {"point": job["point"], **name, **found, "environment": where})
            publish(out, document(records, f"python benchmarks/{words(given, single)}"))
            progress.advance(bar)
    Console().print(out.with_suffix(".md").read_text("utf-8"), markup=False, soft_wrap=True)


def planned(given: argparse.Namespace, single: bool) -> list[tuple[dict[str, Any], str]]:
    """The processes to be started, each with its title."""
    from compared.cases import CHECKPOINT, ON_GPU, PEERS, ZOO, changes
    from compared.points import MODELS, PRESETS, grid
    from compared.race import Limits

    points = PRESETS[given.preset]
    if single:
        points = grid(given.data, given.conv or MODELS, given.depth or [2, 8, 64, 512], given.width)
    limits = asdict(Limits(repeats=given.repeats, budget=given.budget))
    shared = {"extra": changes(given.set), "threads": given.threads}
    if given.gpu:
        shared["extra"]["execution.device"] = "cuda"
        given.what, given.who = ["times"], given.who or ON_GPU
    jobs: list[tuple[dict[str, Any], str]] = []
    for point in dict.fromkeys(points):
        if "times" in given.what:
            names = given.who or [ZOO, *PEERS]
            job = {"what": "times", "point": point.plain, "names": names, "limits": limits, **shared}
            jobs.append((job, str(point)))
        if "memory" in given.what:
            of = {"what": "memory", "point": point.plain, **shared}
            jobs += [({**of, "name": name}, f"{point} {name}") for name in given.who or [ZOO, CHECKPOINT, *PEERS]]
    return jobs


def words(given: argparse.Namespace, single: bool) -> str:
    """The command that measures this."""
    parts: list[Any] = ["side_by_side.py"]
    if single:
        for option in ("data", "conv", "depth", "width"):
            values: Sequence[Any] = getattr(given, option) or []
            parts += [f"--{option}", *values] if values else []
    else:
        parts += ["--preset", given.preset]
    parts += ["--set", *given.set] if given.set else []
    parts += ["--gpu"] if given.gpu else []
    return " ".join(map(str, [*parts, "--threads", given.threads]))


if __name__ == "__main__":
    main()
