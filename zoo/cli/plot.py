"""`zoo plot`: pictures of finished runs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.arguments import AsJson, Folders
from zoo.cli.console import LeftOut, say_left_out
from zoo.errors import RunError
from zoo.system.files import expanded
from zoo.untrusted import as_file_name, escape_controls

if TYPE_CHECKING:
    from zoo.runs.run import Run

To = Annotated[
    Path | None, typer.Option("--to", parser=expanded, metavar="DIR", help="where to write, instead of RUN/plots")
]
Formats = Annotated[str, typer.Option("--format", metavar="LIST", help="png, svg, pdf, or several with commas")]


def plot(runs: Folders, to: To = None, formats: Formats = "png,svg", as_json: AsJson = False) -> None:
    """Draw what a run measured: training, gradient by block, heat map over epochs, and the bound c.

    Exit code 1 if a run among several cannot be read: it is named, and the others are drawn.

    Examples:
        zoo plot runs/hello/3f2a9c41d07e/seed-0

        zoo plot runs/cora-res-gcn-64/*/seed-* --to pictures --format pdf

    """
    from zoo.plots import draw, save

    wanted = formats_of(formats)
    left: LeftOut = []
    opened = [
        run for path in dict.fromkeys(path for given in runs for path in _below(given)) for run in _read(path, left)
    ]
    files: list[Path] = []
    drawn = 0
    for run, place in zip(opened, _places(opened, to), strict=True):
        try:
            written = [file for name, figure in draw(run).items() for file in save(figure, place / name, wanted)]
        except RunError as error:
            left.append((run.path, error))
            continue
        drawn += 1
        if not written:
            print(
                f"run folder {escape_controls(run.path)} — has neither validations nor probes, nothing is drawn",
                file=sys.stderr,
            )
        files += written
        if not as_json:
            for file in written:
                print(escape_controls(file))
    say_left_out(left, range(drawn))
    if as_json:
        print(json.dumps([str(file) for file in files]))
    if left:
        raise SystemExit(1)


def _below(given: Path) -> "list[Path]":
    """The folder itself if a finished run is in it, or nothing that is finished is below it; else those below it."""
    from zoo.runs.folder import is_finished
    from zoo.runs.run import find

    try:
        return [given] if is_finished(given) else list(find([given], "plot"))
    except RunError:
        return [given]  # which says what is wrong with it


def _read(path: Path, left: LeftOut) -> "list[Run]":
    """The run in a folder; none if its result cannot be read, and why is noted."""
    from zoo.runs.run import Run

    run = Run(path)  # what is none at all is a mistake in what was typed
    try:
        _ = run.record
    except RunError as error:
        left.append((path, error))
        return []
    return [run]


def formats_of(written: str) -> list[str]:
    """`png,svg` as a list. Raises: typer.BadParameter for a format that pictures do not come in."""
    from zoo.plots import FORMATS

    wanted = list(dict.fromkeys(word.strip() for word in written.split(",")))
    if unknown := [word for word in wanted if word not in FORMATS]:
        raise typer.BadParameter(f"--format {', '.join(map(repr, unknown))} — expected some of {', '.join(FORMATS)}")
    return wanted


def _places(runs: "list[Run]", to: Path | None) -> list[Path]:
    """A folder for each run; several in one place are laid out as the runs themselves are."""
    if to is None:
        own = [run.path / "plots" for run in runs]
        if linked := next((place for place in own if place.is_symlink()), None):
            raise RunError(f"{linked} — is a link, which is not written through — expected a folder — use --to DIR")
        return own
    if len(runs) == 1:
        return [to]
    names = [(*run.record.recipe.split("/"), run.record.identity, run.path.resolve().name) for run in runs]
    places = [to.joinpath(*map(as_file_name, name)) for name in names]
    if len(set(places)) < len(places):
        raise typer.BadParameter(
            f"--to {to} — two of the runs would be drawn into the same folder — draw one at a time"
        )
    return places
