"""`zoo train`: recipes in, runs and a table out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.arguments import AsJson, Plugins, Words, parse_seeds, split_words

if TYPE_CHECKING:
    from zoo.runs.run import Run


def train(
    words: Words,
    seeds: Annotated[str | None, typer.Option(help="0..4, 3 or 0,2,5; the recipe's own if not given")] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="where run folders are made")] = Path("runs"),
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N")] = None,
    plugin: Plugins = None,
    again: Annotated[
        bool, typer.Option("--again", help="train anew where a finished run is there; it is moved aside")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with unfinished runs from their last saved state")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar, only the table")] = False,
) -> None:
    """Train recipes, one run for each seed, and compare them in a table.

    Examples:
        zoo train hello hello-without

        zoo train cora-res-gcn-64 normalizer=none --seeds 0..2

        zoo train cora-res-gcn-64 model.depth=128 normalizer.c=auto

        torchrun --nproc_per_node=2 -m zoo train hello

    """
    chosen = parse_seeds(seeds) if seeds is not None else None
    recipes, overrides = split_words(words)

    from zoo import api
    from zoo.cli.progress import Progress
    from zoo.recipe.load import load
    from zoo.runs.report import row_of, table_of
    from zoo.training.team import Team

    plugins = plugin or []
    found: dict[Path, Run] = {}  # by folder: a recipe asked for twice, by name and by path, is one run
    with Team.of_environment() as team:  # one for all runs, and for a mistake in what is asked for
        asked = [load(name, overrides, plugins) for name in recipes]  # every mistake before the first run
        with Progress(enabled=team.leads and not (quiet or as_json)) as progress:
            for resolved in asked:
                for seed in chosen if chosen is not None else resolved.seeds:
                    run = api.train(
                        resolved,
                        seed=seed,
                        runs=runs,
                        device=device,
                        again=again,
                        resume=resume,
                        watch=progress.watcher(resolved.name, seed),
                    )
                    progress.ended(run)
                    found[run.path] = run
    if not team.leads:
        return
    if as_json:
        rows = [row_of(run) for run in found.values()]
        print(json.dumps(rows[0] if len(rows) == 1 else rows, ensure_ascii=False))
        return
    progress.print(table_of(list(found.values())))
