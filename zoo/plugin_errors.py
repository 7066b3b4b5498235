"""Errors that a plug-in's code raises, reported as the plug-in's with its own lines."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from registry.core import Entry
from registry.owners import owner_of, short
from registry.plugins import is_plugin
from zoo.errors import USER_ERRORS, ComponentError
from zoo.system.os_errors import shortage_of

_ROLES = {"datasets": "data set", "edge_embeddings": "edge embedding"}


@contextmanager
def told_as_the_plugins() -> Iterator[None]:
    """Around what may run a plug-in's code, or as a decorator: its errors become ComponentError, raised from them.

    The component is named, its file and line, the exception, and the frames that are the plug-in's. Mistakes that have
    words of their own, a lack of memory and a reader who has gone are let through, as is whatever no plug-in had a part
    in: that is a bug of the zoo's.
    """
    try:
        yield
    except (*USER_ERRORS, BrokenPipeError):
        raise
    except Exception as error:
        message = None if shortage_of(error) else _told(error)
        if message is None:
            raise
        raise ComponentError(message) from error


def _told(error: Exception) -> str | None:
    """Return the message on an error that a plug-in's frames lie on the way to; None of another."""
    owner: Entry | None = None
    modules: set[str] = set()
    theirs: list[traceback.FrameSummary] = []
    frames = list(traceback.walk_tb(error.__traceback__))
    for (frame, _), summary in zip(frames, traceback.StackSummary.extract(iter(frames)), strict=True):
        module = frame.f_globals.get("__name__", "")
        found = owner_of(module, _qualname(frame))
        if found is not None and found.source != "built-in":
            owner = found
            modules.add(module)
        if module in modules or is_plugin(module):
            theirs.append(summary)
    if not theirs:
        return None
    last = theirs[-1]
    who = f"{_ROLES.get(owner.table, owner.table[:-1])} {owner.name}" if owner else "plug-in"
    lines = [f"    {short(line.filename)}:{line.lineno} in {line.name}: {line.line}" for line in theirs]
    end = traceback.extract_tb(error.__traceback__)[-1]
    if (end.filename, end.lineno) != (last.filename, last.lineno):
        lines.append(f"    … {end.filename}:{end.lineno} in {end.name}: {end.line}")
    text = str(error).strip() or "no message"
    return "\n".join(
        [
            f"{who} ({short(last.filename)}:{last.lineno}) — {type(error).__name__}: {text} — raised by the plug-in's "
            "own code, expected code that runs without an error",
            *lines,
        ]
    )


def _qualname(frame: FrameType) -> str:
    """The dotted name of a frame's function; before Python 3.11, of a method by its `self`."""
    code = frame.f_code
    if (name := getattr(code, "co_qualname", None)) is not None:
        return name
    return f"{type(frame.f_locals['self']).__qualname__}.{code.co_name}" if "self" in frame.f_locals else code.co_name
