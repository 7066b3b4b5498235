"""`zoo study`: whole experiments, run, looked at and reported."""

import json
import shlex
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.arguments import AsJson, PluginOptions, Runs, command, parse_seeds, split_words
from zoo.system.files import expanded
from zoo.untrusted import as_file_name, escape_controls

if TYPE_CHECKING:
    from zoo.studies.run_study import Failures
    from zoo.studies.study_plan import StudyPlan

_NAMED = 10  # failed runs that are named; `status` has them all
_LONGEST = 200  # characters of a reason
_STATES = ("finished", "running", "waiting", "failed")

study = typer.Typer(
    no_args_is_help=True,
    help="Whole experiments from one file: a grid of recipes, run once each, and the tables and pictures of them.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Words = Annotated[
    list[str], typer.Argument(metavar="STUDY|a.b=c", help="a study by name or path, then changes to its recipes")
]
Quick = Annotated[bool, typer.Option("--quick", help="the study's short form")]
Format = Annotated[str, typer.Option("--format", help="rich, markdown, csv or latex")]
Interval = Annotated[str, typer.Option(help="t or bootstrap: how the 95 % intervals are made")]
Values = Annotated[bool, typer.Option("--values", help="show the figure of every single run")]


@dataclass(frozen=True, kw_only=True)
class StudyOptions(PluginOptions):
    """A study, with changes to it, and where its runs are."""

    words: Words
    quick: Quick = False
    seeds: Annotated[str | None, typer.Option(help="0..4, 3 or 0,2,5; the study's own if not given")] = None
    runs: Runs = Path("runs")

    def plan(self) -> "StudyPlan":
        """Return the plan of the study, as changed. Raises: RecipeError; typer.BadParameter for a wrong word."""
        from zoo.studies.study_file import read_study
        from zoo.studies.study_plan import StudyPlan

        named, typed = split_words(self.words, "study")
        if len(named) != 1:
            words = repr(" ".join(self.words))
            raise typer.BadParameter(f"{words} — expected one study, then changes such as training.duration=20")
        study = read_study(named[0], quick=self.quick, changes=_changes(typed, self.seeds), **self.allowed)
        return StudyPlan(study, self.runs, allow_plugins=self.allow_plugins)

    def typed(self, *, with_runs: bool = True) -> str:
        """Return the words and options that select the same runs on another command line."""
        options = ["--quick"] * self.quick + (["--seeds", self.seeds] if self.seeds else [])
        options += ["--allow-plugins"] * self.allow_plugins
        options += ["--runs", str(self.runs)] if with_runs and self.runs != Path("runs") else []
        plugins = [part for file in self.plugin or () for part in ("--plugin", str(file))]
        return shlex.join([*self.words, *options, *plugins])


@study.command()
@command
def run(
    asked: StudyOptions,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="runs at a time; by the machine if not given")] = None,
    executor: Annotated[str, typer.Option(help="processes, or ray")] = "processes",
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; unset: a local one")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="try runs again that failed before")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only the table")] = False,
) -> None:
    """Train what is missing of a study, several runs at a time, and print its table.

    Finished runs are never run again; Ctrl-C loses nothing, and the same command resumes. Several of these commands may
    work on one study at once. Exit code 1 if runs failed; what diverged is a result.

    Examples:
        zoo study run hello

        zoo study run depth --quick --workers 2

        zoo study run my-study.yaml --executor ray --address ray://head:10001

    """
    from zoo.cli.progress import StudyProgress
    from zoo.studies.run_study import make_executor, run_study

    plan = asked.plan()
    executing = make_executor(executor, device=device, workers=workers, address=address)
    try:
        with StudyProgress(plan, executing, enabled=not (quiet or as_json)) as progress:
            failures = run_study(plan, executing, retry=retry, watcher=progress)
    finally:
        executing.close()
    if as_json:
        print_json(plan, {planned.path: reason for planned, reason in failures})
    else:
        _print_tables(plan, "rich", "t")
    print_failures(failures, f"zoo study status {asked.typed()}", f"zoo study run {asked.typed()} --retry")
    if failures:
        raise SystemExit(1)


@study.command()
@command
def status(asked: StudyOptions, as_json: AsJson = False) -> None:
    """Show how far a study is: what is finished, running, waiting, and what failed with its reason."""
    plan = asked.plan()
    if as_json:
        print_json(plan)
        return
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    states = [(planned, planned.state) for planned in plan.runs()]
    counts = Counter(state for _, state in states)
    unknown = sum(cell.still_unknown for cell in plan.cells)
    counted = ", ".join(f"{counts[state]} {state}" for state in _STATES)
    console.print(f"study {plan.study.name}: {counted}" + (f", up to {unknown} not chosen yet" if unknown else ""))
    for shown in ("running", "failed"):
        for planned, state in states:
            if state == shown:
                console.print(escape_controls(f"{state:8} {planned.title} → {planned.path}"))
                if state == "failed":
                    console.print(escape_controls(f"         {planned.failure}", keep="\n\t"))
    if counts["failed"]:
        console.print("'zoo study run … --retry' tries failed runs again; a failure.json in each folder has the trace")


@study.command()
@command
def table(
    asked: StudyOptions,
    form: Annotated[str, typer.Option("--format", help="rich, markdown, csv, latex or json")] = "rich",
    interval: Interval = "t",
    values: Values = False,
    flat: Annotated[
        bool, typer.Option("--flat", help="one row for each cell, whatever layout the study asks for")
    ] = False,
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
    plan = asked.plan()
    if form == "json":
        from zoo.studies.results import results

        print(results(plan).text(f"zoo study table {asked.typed(with_runs=False)}"), end="")
        return
    _print_tables(plan, form, interval, values=values, flat=flat)


@study.command()
@command
def plot(
    asked: StudyOptions,
    to: Annotated[
        Path | None, typer.Option("--to", parser=expanded, metavar="DIR", help="where to write; unset: here")
    ] = None,
    form: Annotated[str, typer.Option("--format", metavar="LIST", help="png, svg, pdf, or several")] = "png",
) -> None:
    """Draw a study: the test figure along its numeric axis, a line for each other cell, a panel for each data set."""
    from zoo.cli.plot import formats_of
    from zoo.plots import save
    from zoo.studies.picture import pictures

    wanted = formats_of(form)
    plan = asked.plan()
    for name, figure in pictures(plan).items():
        for file in save(figure, (to or Path()) / as_file_name(f"{plan.study.name}-{name}"), wanted):
            print(escape_controls(file))


def _changes(words: list[str], seeds: str | None) -> dict[str, Any]:
    from zoo.recipe.overrides import parse_changes

    found, problems = parse_changes(words)
    for problem in problems:
        raise typer.BadParameter(f"{problem.path} — {problem.text}")
    for change in found:
        if change.removes:
            raise typer.BadParameter(
                f"{change.typed!r} — a study takes nothing away — expected changes such as a.b=null"
            )
    return {**{change.path: change.value for change in found}, **({"seeds": parse_seeds(seeds)} if seeds else {})}


def _print_tables(plan: "StudyPlan", form: str, interval: str, *, values: bool = False, flat: bool = False) -> None:
    from zoo.cli.console import interval_of, print_study_table
    from zoo.studies.results import tables

    every = flat or form == "csv"  # the numbers of all cells, once: the layout is for the eye
    for made in tables(plan, interval=interval_of(interval), values=values, flat=every):
        print_study_table(made, form)


def print_failures(failures: "Failures", more: str, again: str) -> None:
    """Print on standard error the number of failed runs, a line for each, and commands to see more and to try again."""
    from rich.console import Console

    if not failures:
        return
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{len(failures)} run{'s' if len(failures) > 1 else ''} failed:")
    for planned, reason in failures[:_NAMED]:
        console.print(escape_controls(f"  {planned.title} — {textwrap.shorten(reason, _LONGEST, placeholder=' …')}"))
    if len(failures) > _NAMED:
        console.print(f"  and {len(failures) - _NAMED} more")
    console.print(escape_controls(f"more: {more}\nagain: {again}", keep="\n"))


def print_json(plan: "StudyPlan", reasons: Mapping[Path, str] | None = None) -> None:
    """Print the study as JSON: the number of runs in each state, and each with its figures or the reason it failed.

    reasons: of runs that ended without a result, by folder; they are failed, whatever their folders say.
    """
    from zoo.runs.run import Run
    from zoo.runs.run_table import row_of

    rows: list[dict[str, Any]] = []
    for planned in plan.runs():
        reason = (reasons or {}).get(planned.path)
        state = "failed" if reason else planned.state
        row = {"run": planned.title, "state": state, "seed": planned.seed, "split": planned.split}
        figures = row_of(Run(planned.path)) if state == "finished" else {"recipe": planned.recipe.name}
        failure = (reason or planned.failure) if state == "failed" else None
        rows.append({**row, "path": str(planned.path), **figures, "failure": failure})
    counts = Counter(row["state"] for row in rows)
    unknown = sum(cell.still_unknown for cell in plan.cells)
    values = {"study": plan.study.name, **{state: counts[state] for state in _STATES}, "unknown": unknown, "runs": rows}
    print(json.dumps(values, ensure_ascii=False))
