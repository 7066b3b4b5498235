"""`zoo compare`: finished runs and studies, a table for each data set, split and metric."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.arguments import PluginOptions, Runs
from zoo.cli.study import Format, Interval, Quick, Values
from zoo.system.files import expanded

if TYPE_CHECKING:
    from zoo.studies.cells import Cell
    from zoo.studies.statistics import Interval as Kind
    from zoo.studies.table import Table

What = Annotated[
    list[str], typer.Argument(metavar="RUN|STUDY", help="run folders, folders above some, or studies by name")
]


def compare(
    plugins: PluginOptions,
    what: What,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="a label, or axis=label, to compare with")
    ] = None,
    runs: Runs = Path("runs"),
    quick: Quick = False,
    form: Format = "rich",
    interval: Interval = "t",
    values: Values = False,
) -> None:
    """Compare finished runs: mean ± sd over seeds, intervals, and paired differences to a baseline.

    Runs of one recipe and identity are one row. Each data set, split and metric has a table of its own; figures that
    were selected in different ways are not mixed.

    Examples:
        zoo compare runs/hello runs/hello-without --baseline hello-without

        zoo compare depth alternatives --quick --format markdown

    """
    from registry.name_errors import did_you_mean
    from zoo.cli.console import LeftOut, interval_of, print_study_table, say_left_out
    from zoo.errors import RunError
    from zoo.recipe import recipe_files
    from zoo.studies.baseline import baseline_named
    from zoo.studies.collect import cells_of_runs
    from zoo.studies.results import by_setting, cells, joined
    from zoo.studies.study_file import read_study
    from zoo.studies.study_plan import StudyPlan

    kind = interval_of(interval)
    named = list(dict.fromkeys(what))
    folders = [name for name in named if expanded(name).is_dir()]
    studies = [name for name in named if name not in folders]
    for name in studies:
        if recipe_files.study(name) is None and not name.endswith(recipe_files.YAML):
            wrong, near = "is neither a folder nor a study", did_you_mean(name, recipe_files.studies())
            if recipe_files.find(name):
                wrong, near = "is a recipe", f" — its runs are below {runs / name}" if (runs / name).is_dir() else ""
            raise RunError(
                f"compare {name} — {wrong} — expected run folders, folders above some, or names from "
                f"'zoo list studies'{near}"
            )
    left: LeftOut = []
    sources = []
    for name in studies:
        study = read_study(name, quick=quick, **plugins.allowed)
        sources.append((name, cells(StudyPlan(study, runs, allow_plugins=plugins.allow_plugins))))
    if folders:
        sources.append(("runs", cells_of_runs(folders, left)))
        say_left_out(left, sources[-1][1])
    found = [cell for cell in joined(sources) if cell.setting is not None]
    if not found:
        to_do = f"zoo study run {quote(studies[0])}{' --quick' if quick else ''}"
        raise RunError(f"compare {' '.join(named)} — no run below {runs} is finished — expected some: {to_do}")
    base = baseline_named(found, baseline) if baseline else None
    for group in by_setting(found):
        print_study_table(_table(group, base, kind, values), form)
    if left:
        raise SystemExit(1)


def _table(found: "list[Cell]", baseline: dict[str, str] | None, interval: "Kind", values: bool) -> "Table":
    """Return the table of cells with one setting, compared with the baseline if it is among them."""
    from zoo.studies.baseline import is_baseline
    from zoo.studies.cells import axes_in_words
    from zoo.studies.table import long_table

    here = baseline if baseline and any(is_baseline(cell, baseline) for cell in found) else None
    made = long_table(found, baseline=here, interval=interval, values=values)
    if baseline is None or here:
        return made
    return replace(made, notes=(*made.notes, f"No differences: no run here is {axes_in_words(baseline)}."))
