"""`zoo evaluate`: finished runs scored again from their weights, and their predictions as files."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.arguments import AsJson, Device, Folders, PluginOptions
from zoo.cli.console import LeftOut, print_table, say_left_out
from zoo.system.files import expanded

if TYPE_CHECKING:
    from zoo.evaluation import Evaluation


def evaluate(
    run: Folders,
    plugins: PluginOptions,
    split: Annotated[str, typer.Option(help="train, val or test")] = "test",
    device: Device = "cpu",
    output: Annotated[
        Path | None,
        typer.Option(parser=expanded, metavar="FILE", help="of one run; else predictions-<split> in its folder"),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="npz or csv")] = "npz",
    as_json: AsJson = False,
) -> None:
    """Score finished runs from their saved weights, compare with what they recorded, and write their predictions.

    OGB's data sets are scored by OGB's own Evaluator. Exit code 1 if a figure is not the recorded
    one, or a run among several could not be scored: it is named, and the others are.

    Examples:
        zoo evaluate runs/hello

        zoo evaluate runs/hello/*/seed-0 --split val --format csv --output hello.csv

    """
    from zoo.errors import USER_ERRORS, RunError
    from zoo.evaluation import evaluate as scored
    from zoo.runs.run import find

    if form != "npz" and form != "csv":
        raise typer.BadParameter(f"--format {form!r} — expected npz or csv")
    paths = list(find(run, "evaluate"))
    if output is not None and len(paths) > 1:
        raise RunError(f"evaluate --output {output} — {len(paths)} runs were found — expected one run for one file")
    rows = []
    left: LeftOut = []
    for path in paths:
        try:
            found = scored(path, split, device=device or "cpu", **plugins.allowed)
            aside = found.save(output, form=form)
            rows.append((found, output or found.place(form), aside))
        except USER_ERRORS as error:
            left.append((path, error))
    say_left_out(left, rows)
    if as_json:
        print(json.dumps([_plain(*row) for row in rows], ensure_ascii=False))
    else:
        _print(rows)
    if left or not all(found.agrees for found, *_ in rows):
        raise SystemExit(1)


def _plain(found: "Evaluation", file: Path, aside: Path | None) -> dict[str, object]:
    from zoo.runs.jsonl import finite

    return finite(
        {
            "run": str(found.run.path),
            "recipe": found.run.record.recipe,
            "identity": found.run.record.identity,
            "seed": found.run.seed,
            "dataset": found.run.dataset,
            "changes": found.run.changes,
            "part": found.part,
            "metric": found.metric,
            "by": found.by,
            "score": found.score,
            "recorded": found.recorded,
            "difference": found.difference,
            "agrees": found.agrees,
            "predictions": str(file),
            "moved_aside": None if aside is None else str(aside),
        }
    )


def _print(rows: "list[tuple[Evaluation, Path, Path | None]]") -> None:
    from rich.table import Table
    from rich.text import Text

    from zoo.untrusted import plain_text

    part = rows[0][0].part
    changed = any(found.run.changes for found, *_ in rows)
    heads = ["recipe", "data", *(["changes"] if changed else []), "seed", "metric", part, "recorded", ""]
    table = Table(*heads, "scored by", "predictions")
    for found, file, aside in rows:
        compared = "equal" if found.agrees else Text(f"differs by {found.difference:+.3g}", style="red")
        compared = "never validated" if found.agrees and found.recorded is None else compared
        place = f"{file} (another was there: now {aside.name})" if aside else str(file)
        table.add_row(
            plain_text(found.run.record.recipe),
            plain_text(found.run.dataset),
            *([plain_text(" ".join(found.run.changes))] if changed else []),
            str(found.run.seed),
            plain_text(found.metric),
            "not finite" if math.isnan(found.score) else f"{found.score:.4f}",
            "–" if found.recorded is None else f"{found.recorded:.4f}",
            compared,
            plain_text(found.by),
            plain_text(place),
        )
    print_table(table)
