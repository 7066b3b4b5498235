"""`zoo study`: whole experiments, run, looked at and reported."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.arguments import AllowPlugins, AsJson, Plugins, parse_seeds, split_words
from zoo.system.files import expanded

if TYPE_CHECKING:
    from zoo.studies.study_plan import StudyPlan

study = typer.Typer(
    no_args_is_help=True,
    help="Whole experiments from one file: a grid of recipes, run once each, and the tables and pictures of them.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Words = Annotated[
    list[str], typer.Argument(metavar="STUDY|a.b=c", help="a study by name or path, then changes to its recipes")
]
Quick = Annotated[bool, typer.Option("--quick", help="the study's short form")]
Seeds = Annotated[str | None, typer.Option(help="0..4, 3 or 0,2,5; the study's own if not given")]
Runs = Annotated[Path, typer.Option(parser=expanded, metavar="DIR", help="where run folders are")]
Format = Annotated[str, typer.Option("--format", help="rich, markdown, csv or latex")]
Interval = Annotated[str, typer.Option(help="t or bootstrap: how the 95 % intervals are made")]
Values = Annotated[bool, typer.Option("--values", help="show the figure of every single run")]
Flat = Annotated[bool, typer.Option("--flat", help="one row for each cell, whatever layout the study asks for")]


@study.command()
def run(
    words: Words,
    quick: Quick = False,
    seeds: Seeds = None,
    runs: Runs = Path("runs"),
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="runs at a time; by the machine if not given")] = None,
    executor: Annotated[str, typer.Option(help="processes, or ray")] = "processes",
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; unset: a local one")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="try runs again that failed before")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only the table")] = False,
) -> None:
    """Train what is missing of a study, several runs at a time, and print its table.

    Finished runs are never run again; Ctrl-C loses nothing, and the same command goes on. Several of these commands may
    work on one study at once. Exit code 1 if runs failed; what diverged is a result.

    Examples:
        zoo study run hello

        zoo study run depth --quick --workers 2

        zoo study run my-study.yaml --executor ray --address ray://head:10001

    """
    from zoo.cli.study_outcome import plain, say_failures
    from zoo.cli.study_progress import StudyProgress
    from zoo.studies.run_study import make_executor, run_study

    plan = _plan(words, quick, seeds, runs, plugin, allow_plugins)
    executing = make_executor(executor, device=device, workers=workers, address=address)
    try:
        with StudyProgress(plan, executing, enabled=not (quiet or as_json)) as progress:
            failures = run_study(plan, executing, retry=retry, watcher=progress)
    finally:
        executing.close()
    if as_json:
        reasons = {planned.path: reason for planned, reason in failures}
        print(json.dumps(plain(plan, reasons), ensure_ascii=False))
    else:
        _print_tables(plan, "rich", "t", values=False, flat=False)
    typed = _typed(words, quick, seeds, runs, plugin, allow_plugins)
    say_failures(failures, f"zoo study status {typed}", f"zoo study run {typed} --retry")
    if failures:
        raise SystemExit(1)


@study.command()
def status(
    words: Words,
    quick: Quick = False,
    seeds: Seeds = None,
    runs: Runs = Path("runs"),
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    as_json: AsJson = False,
) -> None:
    """How far a study is: what is finished, running, waiting, and what failed with its reason."""
    from collections import Counter

    from rich.console import Console

    from zoo.untrusted import escape_controls

    plan = _plan(words, quick, seeds, runs, plugin, allow_plugins)
    if as_json:
        from zoo.cli.study_outcome import plain

        print(json.dumps(plain(plan), ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    states = [(planned, planned.state) for planned in plan.runs()]
    counts = Counter(state for _, state in states)
    unknown = sum(searched.still_unknown for searched in plan.cells)
    counted = ", ".join(f"{counts[state]} {state}" for state in ("finished", "running", "waiting", "failed"))
    console.print(f"study {plan.study.name}: {counted}" + (f", up to {unknown} not chosen yet" if unknown else ""))
    for planned, state in states:
        if state == "running":
            console.print(escape_controls(f"running  {planned.title} → {planned.path}"))
    for planned, state in states:
        if state == "failed":
            console.print(escape_controls(f"failed   {planned.title} → {planned.path}"))
            console.print(escape_controls(f"         {planned.failure}", keep="\n\t"))
    if counts["failed"]:
        console.print("'zoo study run … --retry' tries failed runs again; a failure.json in each folder has the trace")


@study.command()
def table(
    words: Words,
    quick: Quick = False,
    seeds: Seeds = None,
    runs: Runs = Path("runs"),
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    form: Annotated[str, typer.Option("--format", help="rich, markdown, csv, latex or json")] = "rich",
    interval: Interval = "t",
    values: Values = False,
    flat: Flat = False,
) -> None:
    """Print a study's table from the runs that are finished.

    Test figures at the best validation epoch, mean ± sample standard deviation; differences to the baseline paired by
    seed and split, with Holm's correction. Figures of different metrics, splits or selections are not mixed. JSON has
    all that the tables are made of.

    Examples:
        zoo study table hello

        zoo study table hello --flat --values --format csv > hello.csv

        zoo study table hello --format json > hello.json

    """
    plan = _plan(words, quick, seeds, runs, plugin, allow_plugins)
    if form == "json":
        from zoo.studies.results import results

        typed = _typed(words, quick, seeds, Path("runs"), plugin, allow_plugins)
        print(results(plan).text(f"zoo study table {typed}"), end="")
        return
    _print_tables(plan, form, interval, values=values, flat=flat)


@study.command()
def plot(
    words: Words,
    quick: Quick = False,
    seeds: Seeds = None,
    runs: Runs = Path("runs"),
    plugin: Plugins = None,
    allow_plugins: AllowPlugins = False,
    to: Annotated[
        Path | None, typer.Option("--to", parser=expanded, metavar="DIR", help="where to write; unset: here")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="LIST", help="png, svg, pdf, or several")] = "png",
) -> None:
    """Draw a study: the test figure along its numeric axis, a line for each other cell, a panel for each data set."""
    from zoo.cli.plot import formats_of
    from zoo.plots import save
    from zoo.studies.picture import pictures
    from zoo.untrusted import as_file_name, escape_controls

    wanted = formats_of(form)
    plan = _plan(words, quick, seeds, runs, plugin, allow_plugins)
    for name, figure in pictures(plan).items():
        for file in save(figure, (to or Path()) / as_file_name(f"{plan.study.name}-{name}"), wanted):
            print(escape_controls(file))


def _plan(
    words: list[str], quick: bool, seeds: str | None, runs: Path, plugins: list[Path] | None, allow_plugins: bool
) -> "StudyPlan":
    from zoo.studies.study_file import read_study
    from zoo.studies.study_plan import StudyPlan

    named, typed = split_words(words, "study")
    if len(named) != 1:
        raise typer.BadParameter(f"{' '.join(words)!r} — expected one study, then changes such as training.duration=20")
    changes = _changes(typed, seeds)
    read_study = read_study(named[0], quick=quick, changes=changes, plugins=plugins or [], allow_plugins=allow_plugins)
    return StudyPlan(read_study, runs, allow_plugins=allow_plugins)


def _typed(
    words: list[str], quick: bool, seeds: str | None, runs: Path, plugins: list[Path] | None, allow_plugins: bool
) -> str:
    """What names the same runs on another command line."""
    options = ["--quick"] * quick + (["--seeds", seeds] if seeds else []) + ["--allow-plugins"] * allow_plugins
    options += ["--runs", str(runs)] if runs != Path("runs") else []
    return shlex.join([*words, *options, *(part for file in plugins or () for part in ("--plugin", str(file)))])


def _changes(words: list[str], seeds: str | None) -> dict[str, Any]:
    import yaml

    from zoo.recipe import yaml_text

    changes: dict[str, Any] = {}
    for word in words:
        path, _, value = word.partition("=")
        if word.startswith("~"):
            raise typer.BadParameter(f"{word!r} — a study takes nothing away — expected changes such as a.b=null")
        try:
            changes[path.strip()] = yaml_text.parse(value)
        except yaml.YAMLError as error:
            raise typer.BadParameter(
                f"{path} — {value!r} is not a YAML value — expected e.g. 0.5, relu, [1, 2] or {{name: x}}"
            ) from error
    return {**changes, **({"seeds": parse_seeds(seeds)} if seeds else {})}


def _print_tables(plan: "StudyPlan", form: str, interval: str, *, values: bool, flat: bool) -> None:
    from zoo.cli.console import interval_of, print_study_table
    from zoo.studies.results import tables

    every = flat or form == "csv"  # the numbers of all cells, once: the layout is for the eye
    for made in tables(plan, interval=interval_of(interval), values=values, flat=every):
        print_study_table(made, form)
