"""The command `zoo`. Verbs import what they need when they run: help and listings answer at once.

Exit codes: 0; 1 a bug, with its trace, or what was asked for came out wrong (runs of a study failed, a figure is not
the recorded one, something does not work here); 2 a mistake of the user's, or of a plug-in's, whose own lines are
shown; 130 after a Ctrl-C; 143 after a SIGTERM; 141 where who reads the output has gone.
"""

import os
import shlex
import signal
import sys
from pathlib import Path

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
from zoo.plugin_errors import told_as_the_plugins
from zoo.system.os_errors import explained, is_of_the_system
from zoo.system.stop import TERMINATED, Interrupted, Terminated, terminate
from zoo.untrusted import escape_controls

_LINES = "\n\t"
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
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:  # the default would end the process with all that is open
        signal.signal(signal.SIGTERM, terminate)
    try:
        with told_as_the_plugins():
            app()
    except USER_ERRORS as error:
        print(f"error: {escape_controls(error, keep=_LINES)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt as error:
        _say_interrupted(error, "interrupted")
        sys.exit(INTERRUPTED)
    except SystemExit as left:
        if left.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            _say_interrupted(left, "interrupted")
        elif left.code == TERMINATED:
            _say_interrupted(left, "ended by SIGTERM")
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if not is_of_the_system(error):
            raise
        place = str(error.filename or "a file")
        said = f"{place} — cannot be used: {explained(error, Path(place))} — expected a file or folder that can be"
        print(f"error: {escape_controls(said)}", file=sys.stderr)
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _say_interrupted(error: BaseException, how: str) -> None:
    """What is kept, and how to go on; of processes that train together the leader speaks."""
    if os.environ.get("RANK", "0") != "0":
        return
    link: BaseException | None = error
    while link is not None and not (isinstance(link, Interrupted | Terminated) and link.path):
        link = link.__cause__ or link.__context__
    kept = f"{link} in {link.path}" if link is not None else "what is measured so far stays in the run folder"
    print(f"{how}: {kept}{_how_to_go_on(sys.argv[1:])}", file=sys.stderr)


def _how_to_go_on(words: list[str]) -> str:
    """The command that goes on with what was interrupted, where there is one."""
    if words[:1] != ["train"] and words[:2] != ["study", "run"]:
        return ""
    if words[0] == "train" and not {"--resume", "--together"} & set(words):
        words = [*words, "--resume"]
    command = "torchrun … -m zoo" if "WORLD_SIZE" in os.environ else "zoo"
    return f"\n  to go on: {command} {shlex.join(words)}"
