"""One attempt under limits: it ends in time and within its memory, or that is its outcome."""

import io
import os
import resource
import signal
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

SECONDS = 5  # of the processor: a busy machine is no hang


class Hang(BaseException):
    """The attempt is not over after so many seconds; not an Exception, so that nothing takes it for its own."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. error: what it raised, with its words, its trace, and the innermost line of the zoo's."""

    error: type[BaseException] | None = None
    said: str = ""
    trace: str = ""
    place: str = ""


def limit_memory(room: int) -> None:
    """Let this process have so many bytes of address space more than it has now."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + room, hard))


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `Hang` when the body has used so many seconds of the processor."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang(f"not over after {seconds:g} s of the processor")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)  # again, should a callback of C code swallow the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(act: Callable[[], Any], seconds: float = SECONDS) -> Outcome:
    """Call a function under the time limit; everything that it raises is part of the outcome."""
    try:
        with time_limit(seconds):
            act()
    except BaseException as error:
        return Outcome(type(error), str(error), _short(error), _place(error))
    return Outcome()


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}zoo{os.sep}" in frame.filename]
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {last}"


def _short(error: BaseException) -> str:
    """The trace less the frames of the command line's machinery and of deep recursion."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "typer" not in frame.filename]
    lines = traceback.format_list(frames[3:] if len(frames) < 25 else [*frames[3:8], *frames[-8:]])
    said = "".join(traceback.format_exception_only(error))
    return "".join(lines) + (said if len(said) < 1000 else f"{said[:1000]}…\n")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it printed."""

    code: int
    stdout: str
    stderr: str


def command(words: list[str]) -> Ended:
    """What `zoo` does with these words, in this process; what is not an exit is raised."""
    from unittest import mock

    from zoo.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with mock.patch("sys.argv", ["zoo", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            code = left.code
    code = 0 if code is None else code if isinstance(code, int) else 1
    return Ended(code, out.getvalue(), err.getvalue())


def obeyed(message: str) -> str:
    """The characters of a message that a terminal would do something about instead of showing them."""
    return "".join(
        letter
        for letter in message
        if letter not in "\n\t"
        and (
            unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        )
    )
