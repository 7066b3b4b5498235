"""Printing a comparison's table in the format asked for."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from zoo.studies.statistics import Interval
    from zoo.studies.table import Table


def interval_of(written: str) -> "Interval":
    """The kind of interval that a word stands for. Raises: typer.BadParameter."""
    if written == "t" or written == "bootstrap":
        return written
    raise typer.BadParameter(f"--interval {written!r} — expected t or bootstrap")


def print_table(table: "Table", form: str) -> None:
    """Print on standard output; wide where that is no terminal, so that nothing is folded.

    Raises: RunError for a format that there is not.
    """
    from zoo.studies.render import render

    made = render(table, form)  # pyright: ignore[reportArgumentType, reportCallIssue] - refused there, with advice
    if isinstance(made, str):
        print(made)
        return
    console = Console()
    console.print(made) if console.is_terminal else Console(width=200).print(made)
