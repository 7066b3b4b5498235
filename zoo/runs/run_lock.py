"""One process at a time in a run folder: a lock beside it, which the system lets go when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import RunBusy, RunError
from zoo.system.lock import Held, Owner, is_locked, locked, owner_of
from zoo.system.os_errors import explained

PATIENCE = 0.2  # seconds; `is_claimed` of another process holds a lock for a moment


@contextmanager
def claim(path: Path) -> Iterator[None]:
    """Hold a run folder, which need not be there yet, for the life of the `with`.

    Raises: RunBusy, naming who holds it, if another process does; RunError if no lock can be made there.
    """
    held = locked(_lock(path), patience=PATIENCE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.__enter__()
    except Held as error:
        raise _busy(path, error.owner) from error
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def is_claimed(path: Path, *, patience: float = 0.0) -> bool:
    """Tell whether some process holds the run folder for `patience` seconds from now.

    Raises: RunError if that cannot be found out.
    """
    try:
        return is_locked(_lock(path), patience=patience)
    except OSError as error:
        raise _cannot(path, error) from error


def holder(path: Path) -> str | None:
    """Return who holds the run folder at this moment, in words; None if nobody does, or it cannot be found out."""
    try:
        return str(owner_of(_lock(path)) or "a process that is not known") if is_locked(_lock(path)) else None
    except OSError:
        return None


def refuse_if_claimed(path: Path) -> None:
    """Raise RunBusy if some process holds the run folder at this moment."""
    if is_claimed(path, patience=PATIENCE):
        raise _busy(path, owner_of(_lock(path)))


def _busy(path: Path, owner: Owner | None) -> RunBusy:
    return RunBusy(
        f"run folder {path} — another process is training this run: {owner or 'which one is not known'} — "
        "expected one at a time — wait for it, or choose another folder with --runs"
    )


def _cannot(path: Path, error: OSError) -> RunError:
    return RunError(
        f"run folder {path} — cannot be made: {explained(error, path.parent)} — expected a folder to write to "
        "(--runs DIR)"
    )


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")
