"""`zoo evaluate`: finished runs scored again from their weights, and their predictions as files."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.arguments import AsJson

if TYPE_CHECKING:
    from zoo.evaluation import Evaluation


def evaluate(
    run: Annotated[list[Path], typer.Argument(metavar="RUN…", help="run folders, or folders above some")],
    split: Annotated[str, typer.Option(help="train, val or test")] = "test",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "cpu",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="of one run; else predictions-<split> in its folder")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="npz or csv")] = "npz",
    as_json: AsJson = False,
) -> None:
    """Score finished runs from their saved weights, compare with what they recorded, and write their predictions.

    OGB's data sets are scored by OGB's own Evaluator. Exit code 1 if a figure is not the recorded one.

    Examples:
        zoo evaluate runs/hello

        zoo evaluate runs/hello/*/seed-0 --split val --format csv --output hello.csv

    """
    from zoo.errors import RunError
    from zoo.evaluation import evaluate as scored
    from zoo.runs.find import find

    if form != "npz" and form != "csv":
        raise typer.BadParameter(f"--format {form!r} — expected npz or csv")
    paths = list(find(run, "evaluate"))
    if output is not None and len(paths) > 1:
        raise RunError(f"evaluate --output {output} — {len(paths)} runs were found — expected one run for one file")
    rows = []
    for path in paths:
        found = scored(path, split, device=device)
        aside = found.save(output, form=form)
        rows.append((found, output or found.place(form), aside))
    if as_json:
        written = [_plain(*row) for row in rows]
        print(json.dumps(written[0] if len(written) == 1 else written, ensure_ascii=False))
    else:
        _print(rows)
    if not all(found.agrees for found, *_ in rows):
        raise SystemExit(1)


def _plain(found: "Evaluation", file: Path, aside: Path | None) -> dict[str, object]:
    from zoo.runs.folder import finite

    return finite(
        {
            "run": str(found.run.path),
            **{key: found.run.result[key] for key in ("recipe", "identity", "seed")},
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
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    part = rows[0][0].part
    table = Table("recipe", "seed", "metric", part, "recorded", "", "scored by", "predictions")
    for found, file, aside in rows:
        said = "equal" if found.agrees else f"[red]differs by {found.difference:+.3g}[/red]"
        said = "never validated" if found.agrees and found.recorded is None else said
        place = f"{file} (another was there: now {aside.name})" if aside else str(file)
        table.add_row(
            escape(found.run.result["recipe"]),
            str(found.run.seed),
            found.metric,
            f"{found.score:.4f}",
            "–" if found.recorded is None else f"{found.recorded:.4f}",
            said,
            escape(found.by),
            escape(place),
        )
    console = Console()
    (console if console.is_terminal else Console(width=220)).print(table)
