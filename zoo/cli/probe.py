"""`zoo probe`: gradients at initialisation over depths and normalisers, or of a finished run."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.arguments import AsJson, Device, RecipeOptions, split_words
from zoo.cli.console import print_table
from zoo.system.files import expanded
from zoo.untrusted import escape_controls, plain_text

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.api import Probed
    from zoo.probes.reading import Reading

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 16


def probe(
    asked: RecipeOptions,
    depths: Annotated[
        str | None, typer.Option(metavar="2,8,32", help="numbers of blocks; the recipe's own if not given")
    ] = None,
    normalizer: Annotated[
        str | None, typer.Option(metavar="A,B:C", help="normalisers by name, each with its c after a colon")
    ] = None,
    probes: Annotated[
        str | None, typer.Option(help="of a finished run: the set of probes, or one of them; deep if not given")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of weights and split")] = 0,
    device: Device = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", parser=expanded, metavar="FILE", help="draw the profiles: FILE.png and FILE.svg"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read gradients, without training: of a recipe at initialisation, or of a finished run's best weights.

    Examples:
        zoo probe cora-res-gcn-64 --depths 2,8,32,128,512 --normalizer none,frobenius:auto

        zoo probe runs/hello/0123456789ab/seed-0

    """
    names, overrides = split_words(asked.words)
    if len(names) == 1 and expanded(names[0]).is_dir():
        if overrides or depths or normalizer or plot:
            raise typer.BadParameter(
                "a finished run is read as it is — expected neither changes nor --depths, --normalizer or --plot — "
                f"'zoo plot {names[0]}' draws it"
            )
        _run(expanded(names[0]), probes or "deep", device or "cpu", asked, as_json)
        return
    if probes:
        raise typer.BadParameter("--probes is for finished runs — expected a run folder — recipes have their own set")
    numbers = _depths(depths)

    from rich.console import Console

    from zoo import api

    chosen = normalizer.split(",") if normalizer else ()
    recipes = asked.load()
    console = Console(stderr=True)
    rows: list[tuple[str, Probed]] = []
    with console.status("", spinner="dots") as status:
        for recipe in recipes:
            status.update(plain_text(f"{recipe.name}: building the first network"))
            for found in api.probe(recipe, depths=numbers, normalizers=chosen, seed=seed, device=device):
                rows.append((recipe.name, found))
                status.update(plain_text(f"{recipe.name}: {found.depth} blocks, {found.normalizer} read"))
    if as_json:
        print(json.dumps([_plain(name, found) for name, found in rows], ensure_ascii=False))
    else:
        print_table(_table(rows))
        for name, found in rows:
            if found.outlook.verdict != "healthy":
                print(escape_controls(f"{name}, {found.depth} blocks, {found.normalizer}: {found.outlook}"))
    if plot is not None:
        print("\n".join(map(escape_controls, _picture(rows, plot))), file=console.file)


def _depths(written: str | None) -> list[int]:
    try:
        numbers = [int(part) for part in written.split(",")] if written else []
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise typer.BadParameter(f"{written!r} is not a list of numbers of blocks — expected e.g. 2,8,32")
    return numbers


def _plain(name: str, found: "Probed") -> dict[str, Any]:
    from zoo.runs.jsonl import finite

    return finite(
        {
            "recipe": name,
            "depth": found.depth,
            "normalizer": found.normalizer,
            "c": found.c,
            "ratio": found.reading.ratio,
            "outlook": found.outlook.plain(),
            **found.reading.plain(),
        }
    )


def _table(rows: Sequence[tuple[str, "Probed"]]) -> "Table":
    from rich.table import Table

    from zoo.probes.reading import growth, readable

    table = Table(title="gradients at initialisation", title_justify="left")
    several = len({name for name, _ in rows}) > 1
    if several:
        table.add_column("recipe", overflow="fold")
    for head in ("blocks", "normalizer", "μ(G) per block", "μ(G) first", "μ(G) last", "‖G‖ first", "limit ratio"):
        table.add_column(head, justify="left" if head == "normalizer" else "right")
    table.add_column("log μ(G), first → last block", no_wrap=True)
    table.add_column("outlook")
    low, high = _range(rows)
    for name, found in rows:
        reading = found.reading
        limit = reading["gradients.ratio.limit"]
        table.add_row(
            *([plain_text(name)] if several else []),
            str(found.depth),
            plain_text(found.normalizer + (f" c={found.c:.3g}" if found.c is not None else "")),
            f"× {growth(reading.number('expansion_rate.plain'))}",
            readable(reading.first, 2),
            readable(reading.last, 2),
            readable(reading["gradients.norm"][0], 2),
            f"{readable(limit[0], 2)} ← {readable(limit[-1], 2)}",
            sparkline(reading["gradients.mu.plain"], low, high),
            found.outlook.verdict,
        )
    table.caption = (
        "limit ratio: the share of G that differs between nodes of one component, at the first and the last block"
    )
    table.caption_justify = "left"
    return table


def _range(rows: Sequence[tuple[str, "Probed"]]) -> tuple[float, float]:
    """The smallest and the largest log₁₀ μ(G) of all rows, so that their lines can be compared."""
    levels = [
        math.log10(mu)
        for _, found in rows
        for mu in found.reading["gradients.mu.plain"].tolist()
        if mu > 0 and math.isfinite(mu)
    ]
    return (min(levels), max(levels)) if levels else (0.0, 0.0)


def sparkline(series: Any, low: float, high: float) -> str:
    """A profile as a line of blocks on a log₁₀ scale from low to high; `·` where it is 0 or not finite."""
    places = sorted({round(step * (len(series) - 1) / (_COLUMNS - 1)) for step in range(_COLUMNS)})
    marks = []
    for value in (float(series[place]) for place in places):
        if not (value > 0 and math.isfinite(value)):
            marks.append("·")
            continue
        share = (math.log10(value) - low) / (high - low) if high > low else 0.5
        marks.append(_BARS[min(len(_BARS) - 1, max(0, int(share * len(_BARS))))])
    return "".join(marks)


def _picture(rows: Sequence[tuple[str, "Probed"]], stem: Path) -> list[Path]:
    from zoo.plots import profiles, save

    several = len({name for name, _ in rows}) > 1
    series = {
        f"{f'{name}, ' if several else ''}{found.depth} blocks, {found.normalizer}"
        + (f" c={found.c:.3g}" if found.c is not None else ""): found.reading["gradients.mu.plain"].tolist()
        for name, found in rows
    }
    title = ", ".join(dict.fromkeys(name for name, _ in rows))
    return save(
        profiles(series, f"{title}: μ(G) at initialisation"),
        stem.with_suffix("") if stem.suffix in (".png", ".svg") else stem,
    )


def _run(path: Path, probes: str, device: str, asked: RecipeOptions, as_json: bool) -> None:
    from zoo import api
    from zoo.runs.jsonl import finite
    from zoo.runs.run import Run

    run = Run(path)
    recipe = run.record.recipe
    reading = api.probe_run(run, probes, device=device, **asked.allowed)
    if as_json:
        print(json.dumps([finite({"recipe": recipe, "seed": run.seed, **reading.plain()})], ensure_ascii=False))
        return
    print_table(_reading_table(recipe, run.seed, reading))
    if run.record.diagnosis:
        print(escape_controls(str(run.record.diagnosis)))


def _reading_table(recipe: str, seed: int, reading: "Reading") -> "Table":
    from rich.table import Table

    title = plain_text(f"{recipe} seed {seed}: the weights that validated best", "table.title")
    table = Table(title=title, title_justify="left")
    for head in ("quantity", "first block", "last block", "smallest", "largest"):
        table.add_column(head, justify="left" if head == "quantity" else "right")
    table.add_column("first → last block", no_wrap=True)
    for name, value in reading.items():
        if value.ndim == 0:
            table.add_row(plain_text(name), f"{float(value):.4g}", "", "", "", "")
            continue
        known = [number for number in value.tolist() if math.isfinite(number)] or [math.nan]
        levels = [math.log10(number) for number in known if number > 0] or [0.0]
        figures = (value[0], value[-1], min(known), max(known))
        table.add_row(
            plain_text(name),
            *(f"{float(figure):.4g}" for figure in figures),
            sparkline(value, min(levels), max(levels)),
        )
    return table
