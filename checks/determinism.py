"""Whether a recipe gives the same run again: in another process, folder and hash seed, and with another thread count.

    python checks/determinism.py

Every variant is a `zoo train` of its own, a process with all recipes after one another. What is compared with the first
one is all that a run's folder says but for times: weights byte for byte, validations, probes and the result. With two
threads sums may come in another order; there the largest relative difference is shown, and promised for none.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.numpy import load_file

RECIPES = (
    *("smoke/res-gcn", "smoke/gat", "smoke/res-gin", "smoke/sage", "smoke/gcnii", "smoke/rev-gnn", "smoke/drop-edge"),
    *("smoke/bf16", "smoke/neighbor", "smoke/cluster", "smoke/shadow", "smoke/links", "smoke/graphs", "smoke/dgl-conv"),
)
TIMES = ("seconds", "seconds_with_setup")


@dataclass(frozen=True)
class Variant:
    """A way to train the same. words: appended to the command. promised: whether the runs have to be equal."""

    name: str
    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    elsewhere: bool = False
    promised: bool = True


FIRST = Variant("1 thread", ("execution.threads=1",), {"PYTHONHASHSEED": "0"})
VARIANTS = (
    Variant("again", FIRST.words, FIRST.environment),
    Variant("hash seed 4711", FIRST.words, {"PYTHONHASHSEED": "4711"}),
    Variant("other folder, random hashes", FIRST.words, {"PYTHONHASHSEED": "random"}, elsewhere=True),
    Variant("2 threads", ("execution.threads=2",), {"PYTHONHASHSEED": "0"}, promised=False),
    Variant("2 threads, again", ("execution.threads=2",), {"PYTHONHASHSEED": "0"}, promised=False),
)


def main() -> None:
    """Print what each variant changed; exit code 1 if a promised one changed anything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="names, or files")
    parser.add_argument("--override", nargs="*", default=[], metavar="KEY=VALUE", help="of all recipes")
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="how many, from the first one")
    options = parser.parse_args()
    variants = VARIANTS[: options.variants]
    with tempfile.TemporaryDirectory() as place:
        found = [
            trained(variant, options.recipes, options.override, Path(place) / str(number))
            for number, variant in enumerate(
                track((FIRST, *variants), "variants", console=Console(stderr=True), transient=True)
            )
        ]
        compared = {recipe: [difference(run, other[recipe]) for other in found[1:]] for recipe, run in found[0].items()}
    table = Table("recipe", *(variant.name for variant in variants))
    broken = []
    for recipe, differences in compared.items():
        table.add_row(recipe, *differences)
        pairs = zip(variants, differences, strict=True)
        broken += [f"{recipe}, {each.name}: {said}" for each, said in pairs if each.promised and said != "equal"]
    Console(width=140).print(table)
    print("\n".join(broken) or f"{len(compared)} recipes: equal to the last bit wherever that is promised")
    sys.exit(1 if broken else 0)


def trained(variant: Variant, recipes: list[str], overrides: list[str], folder: Path) -> dict[str, Path]:
    """Train in one process; returns the run's folder of each recipe."""
    folder.mkdir()
    runs = "runs" if variant.elsewhere else str(folder / "runs")
    command = [sys.executable, "-m", "zoo", "train", *recipes, "--runs", runs, "--quiet", *variant.words, *overrides]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"} | variant.environment
    here = folder if variant.elsewhere else Path.cwd()
    ended = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
    found = (file.parent for file in (folder / "runs").rglob("result.json"))
    return {json.loads((run / "result.json").read_text(encoding="utf-8"))["recipe"]: run for run in sorted(found)}


def difference(one: Path, other: Path) -> str:
    """`equal`, or by how much the weights differ, relative to the largest one of each matrix, and the test figures."""
    same = all(records(one, name) == records(other, name) for name in ("metrics.jsonl", "probes.jsonl", "result.json"))
    if same and (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes():
        return "equal"
    first, second = (load_file(run / "model.safetensors") for run in (one, other))
    largest = max(
        (float(abs(first[name] - second[name]).max() / (abs(first[name]).max() or 1)) for name in first), default=0.0
    )
    tests = [json.loads((run / "result.json").read_text(encoding="utf-8"))["test"] for run in (one, other)]
    return f"weights {largest:.0e}, test {tests[0]:.4g}" + ("" if tests[0] == tests[1] else f" → {tests[1]:.4g}")


def records(run: Path, name: str) -> list[dict[str, object]]:
    """The objects in a file of a run, without times."""
    file = run / name
    if name == "probes.jsonl" and not file.exists():  # the others have to be there
        return []
    text = file.read_text(encoding="utf-8")
    rows = [json.loads(text)] if file.suffix == ".json" else list(map(json.loads, text.splitlines()))
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


if __name__ == "__main__":
    main()
