"""`zoo train`: recipes in, runs and a table out."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.arguments import AsJson, Device, RecipeOptions, Runs, parse_seeds, split_words

if TYPE_CHECKING:
    from zoo.builder import Built
    from zoo.cli.progress import Progress
    from zoo.runs.run import Run
    from zoo.training.outcome import Watcher


def train(
    asked: RecipeOptions,
    seeds: Annotated[str | None, typer.Option(help="0..4, 3 or 0,2,5; the recipe's own if not given")] = None,
    runs: Runs = Path("runs"),
    device: Device = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="train anew where a run is there, finished or interrupted; it is moved aside"),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="resume unfinished runs from their last saved state")
    ] = False,
    together: Annotated[
        bool, typer.Option("--together", help="train the seeds of each recipe side by side, as one; probes=none")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar, only the table")] = False,
) -> None:
    """Train recipes, one run for each seed, and compare them in a table.

    Examples:
        zoo train hello hello-without

        zoo train cora-res-gcn-64 normalizer=none --seeds 0..2

        zoo train cora-res-gcn-64 model.depth=128 normalizer.c=auto

        zoo train hello probes=none --seeds 0..31 --together

        torchrun --nproc_per_node=2 -m zoo train hello

    """
    if together and resume:
        raise typer.BadParameter("--together saves nothing to --resume from — expected one of the two")
    chosen = parse_seeds(seeds) if seeds is not None else None
    split_words(asked.words)

    from zoo import api
    from zoo.cli.console import print_table
    from zoo.cli.progress import Progress
    from zoo.runs.run_table import row_of, table_of
    from zoo.system.team import Team

    found: dict[Path, Run] = {}  # by folder: a recipe asked for twice, by name and by path, is one run
    with Team.of_environment() as team:  # one for all runs, and for a mistake in what is asked for
        recipes = asked.load()  # every mistake before the first run
        with Progress(enabled=team.leads and not (quiet or as_json)) as progress:
            for resolved in recipes:
                seeds_of_it = chosen if chosen is not None else resolved.seeds
                options: dict[str, Any] = {"runs": runs, "device": device, "again": again}
                if together:
                    from zoo.together import train_together

                    watch = partial(_watched, progress, resolved.name)
                    ended = train_together(resolved, seeds=seeds_of_it, watch=watch, **options)
                else:
                    ended = (
                        api.train(
                            resolved, seed=seed, resume=resume, watch=progress.watcher(resolved.name, seed), **options
                        )
                        for seed in seeds_of_it
                    )
                for run in ended:
                    progress.ended(run)
                    found[run.path] = run
    if not team.leads:
        return
    if as_json:
        print(json.dumps([row_of(run) for run in found.values()], ensure_ascii=False))
        return
    print_table(table_of(list(found.values())))


def _watched(progress: "Progress", recipe: str, built: "Built") -> "Watcher":
    """A bar for one of the runs that are trained together."""
    return progress.watcher(recipe, built.seed)(built)
