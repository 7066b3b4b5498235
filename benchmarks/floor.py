"""How far a step of the zoo's is from what no step can do without: its matrix products and propagations.

    python benchmarks/floor.py [--points cora:gcn:64:64 cora:gcn:512:64] [--threads 1]

The products and propagations of a step are made alone, on the same shapes and in the same order, in turns with the
zoo's own training. Besides, what the machine can do at best. Method and reading: docs/benchmarks.md.
"""

import argparse
from pathlib import Path
from typing import Any

from compared.publish import FOLDER, publish
from compared.threads import set_threads

POINTS = [
    "cora:gcn:8:64",
    "cora:gcn:64:64",
    "cora:gcn:512:64",
    "cora:sage:64:64",
    "cora:gcn:64:256",
    "blocks-169343:gcn:8:64",
]


def main() -> None:
    """Measure every point, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--points", nargs="+", default=POINTS, metavar="DATA:CONV:BLOCKS:WIDTH", help="conv gcn or sage"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="changes of the zoo's recipe")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=FOLDER / "floor")
    given = parser.parse_args()
    set_threads(given.threads)
    measure(given)


def measure(given: argparse.Namespace) -> None:
    """Race the zoo against its skeleton."""
    from rich.console import Console
    from rich.progress import Progress

    from compared.environment import environment
    from compared.records import Records

    records = Records(given.out.with_suffix(".json"))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("the machine", total=len(given.points) + 1)
        where = {"environment": environment(given.threads)}
        records.put("machine", f"{given.threads} thread(s)", {**machine(given.threads), **where})
        progress.advance(bar)
        for text in given.points:
            progress.update(bar, description=text)
            found = {**point(text, given), "environment": environment(given.threads)}
            records.put("floor", text, found)
            publish(given.out, document(records))
            progress.advance(bar)
    Console().print(given.out.with_suffix(".md").read_text("utf-8"), markup=False, soft_wrap=True)


def machine(threads: int) -> dict[str, Any]:
    """The limits of the machine with so many threads."""
    import torch

    from compared.machine import limits

    torch.set_num_threads(threads)
    return {**limits(), "threads": threads}


def point(text: str, given: argparse.Namespace) -> dict[str, Any]:
    """The zoo's step, its floor, and their ratio."""
    from compared.allocator import one_arena
    from compared.cases import changes
    from compared.points import BASE, Point
    from compared.problem import Problem
    from compared.race import Limits, race, result
    from compared.skeleton import Skeleton
    from compared.zoo_training import ZooTraining

    one_arena()
    data, conv, depth, width = text.split(":")
    of = Point(data, conv, int(depth), int(width))
    changes = changes(given.set)
    ours = ZooTraining("zoo", BASE, {**of.overrides, **changes}, largest=of.norm, threads=given.threads)
    skeleton = Skeleton(Problem.of(ours.built, conv))
    try:
        done = result(race([ours, skeleton], Limits(repeats=given.repeats, budget=given.budget)))
    finally:
        ours.close()
    return {"point": of.plain, **done, "floor": skeleton.shares(), "threads": given.threads}


def document(records: Any) -> str:
    """The figures as Markdown."""
    from compared.environment import words
    from compared.tables import table

    rows = []
    for record in records.of("floor"):
        at, floor = record["point"], record["floor"]
        low, middle, high = record["ratio"]["floor"]
        times = [record["seconds"][who][1] for who in ("zoo", "floor")]
        times += [floor[kind] for kind in ("encoder", "products", "propagations")]
        cells = [f"{seconds * 1e3:,.1f} ms" for seconds in times]
        reached, ratio = f"{floor['gflops']:.0f} GFLOP/s", f"**{middle:.2f}** ({low:.2f}–{high:.2f})"
        where = [str(at[key]) for key in ("data", "conv", "depth", "width")]
        rows.append([*where, *cells, reached, floor["kernel"], ratio])
    heads = [
        "data",
        "conv",
        "blocks",
        "width",
        "epoch",
        "floor",
        "encoder",
        "products",
        "propagations",
        "products reach",
        "kernel",
    ]
    of_machine = [
        [str(each["threads"]), f"{each['gflops']:.0f} GFLOP/s", f"{each['copy_gbs']:.1f} GB/s"]
        for each in records.of("machine")
    ]
    where = dict.fromkeys(words(record["environment"]) for record in records.found.values())
    return (
        "\n\n".join(
            [
                "Made by `python benchmarks/floor.py`.",
                "## What the machine can do",
                table(["threads", "matrix product", "copy, read and written"], of_machine),
                "## An epoch, validation included, over its floor",
                table([*heads, "epoch / floor"], rows),
                "\n".join(["Measured:", "", *(f"- {each}" for each in where)]),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
