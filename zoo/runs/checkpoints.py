"""Checkpoints that a run resumes from: the state saved last, and the one before it."""

import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from zoo.errors import RunError
from zoo.system.files import DRAFT, drafted, sync
from zoo.system.os_errors import shortage_of
from zoo.untrusted import check_stored

STATE, PREVIOUS, BROKEN = "state.pt", "state.previous.pt", "state.broken.pt"
FORMAT = 3  # of what a trainer's state holds: 3 has the digests of the data and the split that it is trained on
_MESSAGE = 200  # characters of another library's message


class Unreadable(UserWarning):
    """The state saved last cannot be read; the run resumes from the one before."""


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a state; once the folder holds one, it holds a whole one at every moment."""
    newest = folder / STATE
    with drafted(newest) as draft:
        with draft.open("xb") as stream:
            torch.save({**state, "format": FORMAT}, stream)
        if newest.exists():
            sync(draft)  # before the older one makes room for it
            newest.replace(folder / PREVIOUS)


def read(folder: Path) -> tuple[dict[str, Any], str, str] | None:
    """Return the newest state that can be read, its file's name, and what is wrong with a newer one; None if none is.

    Raises: RunError if there are states, and none can be read.
    """
    wrong: list[str] = []
    for name in (STATE, PREVIOUS):
        if not (folder / name).exists():
            continue
        try:
            return _read(folder / name), name, "; ".join(wrong)
        except Exception as error:
            if shortage_of(error) is not None:
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            wrong.append(f"{name} cannot be read: {lines[0][:_MESSAGE]}")
    if not wrong:
        return None
    raise RunError(
        f"{folder / STATE} — {'; '.join(wrong)} — expected the state that the run saved — train without --resume"
    )


def set_aside_broken(folder: Path) -> None:
    """Move the newest state out of the way: the next one that is saved would push a good one out instead."""
    (folder / STATE).replace(folder / BROKEN)


def forget(folder: Path) -> None:
    """Remove what only an unfinished run needs, and drafts of processes that were killed; as far as it can be."""
    for name in (STATE, PREVIOUS, BROKEN, STATE + DRAFT):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:  # PyTorch's own reader passes over the check sums
        check_stored(archive, file.stat().st_size)
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the check sum of {damaged} in it is wrong")
    state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or state.pop("format", None) != FORMAT:
        raise ValueError("it was saved by another version of the zoo")
    return state
