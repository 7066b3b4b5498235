"""The command `zoo`. Verbs import what they need when they run: help and listings answer at once.

Exit codes: 0; 1 a bug, with its trace, or what was asked for came out wrong (runs of a study failed, a figure is not
the recorded one, something does not work here); 2 a mistake of the user's, or of a plug-in's, whose own lines are
shown; 130 after a Ctrl-C; 143 after a SIGTERM; 141 where who reads the output has gone.
"""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer

from zoo.cli.arguments import command, leads
from zoo.errors import USER_ERRORS
from zoo.plugin_errors import told_as_the_plugins
from zoo.system.os_errors import explained, is_of_the_system
from zoo.system.stop import TERMINATED, Interrupted, Terminated, terminate
from zoo.untrusted import escape_controls

_LINES = "\n\t"
INTERRUPTED = 130

# In the order of `zoo --help`. Each is a function, or a typer.Typer of several, of its name in `zoo.cli.<name>`.
VERBS = (
    *("train", "list", "evaluate", "probe", "plot", "study", "compare"),
    *("show", "validate", "copy", "doctor", "schema"),
)
_FUNCTIONS = {"list": "list_"}
_HELP = "Deep graph neural networks that train: recipes, normalisers, and the gradients to see why."


def app_of(words: Sequence[str]) -> typer.Typer:
    """Return the command with the verb that the words begin with, or with all of them if they begin with none."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=_HELP)(lambda: None)  # which makes the verb a word of the command, also of a single one
    for name in words[:1] if words and words[0] in VERBS else VERBS:
        verb = vars(import_module(f"zoo.cli.{name}"))[_FUNCTIONS.get(name, name)]
        app.add_typer(verb, name=name) if isinstance(verb, typer.Typer) else app.command(name)(command(verb))
    return app


def app() -> None:
    """Run the command that was typed."""
    app_of(sys.argv[1:])()


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
        message = f"{place} — cannot be used: {explained(error, Path(place))} — expected a file or folder that can be"
        print(f"error: {escape_controls(message)}", file=sys.stderr)
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _say_interrupted(error: BaseException, how: str) -> None:
    """Print what is kept, and the command that resumes."""
    if not leads():
        return
    link: BaseException | None = error
    while link is not None and not (isinstance(link, Interrupted | Terminated) and link.path):
        link = link.__cause__ or link.__context__
    kept = f"{link} in {link.path}" if link is not None else "what is measured so far stays in the run folder"
    print(f"{how}: {kept}{_how_to_resume(sys.argv[1:])}", file=sys.stderr)


def _how_to_resume(words: list[str]) -> str:
    """Return the command that resumes what was interrupted, where there is one."""
    if words[:1] != ["train"] and words[:2] != ["study", "run"]:
        return ""
    if words[0] == "train" and not {"--resume", "--together"} & set(words):
        words = [*words, "--resume"]
    typed = "torchrun … -m zoo" if "WORLD_SIZE" in os.environ else "zoo"
    return f"\n  to resume: {typed} {shlex.join(words)}"
