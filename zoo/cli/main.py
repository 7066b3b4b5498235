"""The command `zoo`. Verbs import what they need when they run: help and listings answer at once."""

import sys

import typer

from zoo.cli.compare import compare
from zoo.cli.copy import copy
from zoo.cli.doctor import doctor
from zoo.cli.evaluate import evaluate
from zoo.cli.list import list_
from zoo.cli.plot import plot
from zoo.cli.probe import probe
from zoo.cli.schema import schema
from zoo.cli.show import show
from zoo.cli.study import study
from zoo.cli.train import train
from zoo.cli.validate import validate
from zoo.errors import USER_ERRORS

INTERRUPTED = 130

app = typer.Typer(
    help="Deep graph neural networks that train: recipes, normalisers, and the gradients to see why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command(name="list")(list_)
app.command()(evaluate)
app.command()(probe)
app.command()(plot)
app.add_typer(study, name="study")
app.command()(compare)
app.command()(show)
app.command()(validate)
app.command()(copy)
app.command()(doctor)
app.command()(schema)


def main() -> None:
    """Run the command; a mistake of the user's is one message and exit code 2, a bug keeps its trace."""
    try:
        app()
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as left:
        if left.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            _say_interrupted()
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _say_interrupted() -> None:
    print("interrupted: what is measured so far stays in the run folder", file=sys.stderr)
