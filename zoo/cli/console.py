"""Output of the verbs: tables, and the runs among several that were left out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from zoo.untrusted import escape_controls

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.studies.statistics import Interval
    from zoo.studies.table import Table as StudyTable

LeftOut = list[tuple[Path, Exception]]  # run folders, and the user's error of each
_WIDTH = 220  # where the output is no terminal, so that nothing is folded


def print_table(table: "Table") -> None:
    """Print on standard output; wide where that is no terminal."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH)).print(table)


def print_study_table(table: "StudyTable", form: str) -> None:
    """Print a comparison in a format. Raises: RunError for a format that there is not."""
    from zoo.studies.render import render

    made = render(table, form)
    print(made) if isinstance(made, str) else print_table(made)


def interval_of(written: str) -> "Interval":
    """Return the kind of interval that a word stands for. Raises: typer.BadParameter."""
    if written == "t" or written == "bootstrap":
        return written
    raise typer.BadParameter(f"--interval {written!r} — expected t or bootstrap")


def say_left_out(left: LeftOut, done: Sequence[object]) -> None:
    """Print on standard error why each was left out. Raises: the first of the errors if nothing was done."""
    if left and not done:
        raise left[0][1]
    for path, error in left:
        print(escape_controls(f"left out: {path}: {error}", keep="\n\t"), file=sys.stderr)
