"""One process at a time in a run folder: a lock beside it, which the system lets go when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.errors import RunBusy, RunError

PATIENCE = 0.2  # seconds; `is_claimed` of another process holds a lock for a moment


@contextmanager
def claim(path: Path) -> Iterator[None]:
    """Hold a run folder, which need not be there yet, for the life of the `with`.

    Raises: RunBusy if another process holds it; RunError if no lock can be made there.
    """
    lock = _lock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE, blocking=True)
    except Timeout as error:
        raise _busy(path) from error
    except OSError as error:
        raise RunError(
            f"run folder {path} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_claimed(path: Path) -> bool:
    """Whether some process holds the run folder at this moment."""
    lock = _lock(path)
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock:
            return False
    except Timeout:
        return True


def refuse_if_claimed(path: Path) -> None:
    """Raise RunBusy if some process holds the run folder at this moment."""
    if is_claimed(path):
        raise _busy(path)


def _busy(path: Path) -> RunBusy:
    return RunBusy(
        f"run folder {path} — another process is training this run — expected one at a time — "
        "wait for it, or choose another folder with --runs"
    )


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(f".{path.name}.lock"), blocking=False)
