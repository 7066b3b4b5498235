"""Locks on files: one process at a time, released by the system when its holder dies, with a note of who holds it."""

import errno
import json
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from zoo.system.os_errors import explained

# What flock answers where the file system has no locks.
_WITHOUT = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_INTERVAL = 0.1  # seconds between two attempts
_PATIENCE = 0.5  # seconds until `waiting` says that another process is waited for
_UNKNOWN = "a process that is not known"


@dataclass(frozen=True)
class Owner:
    """Holder of a lock. since, started: when it was taken and when the process began, in seconds since 1970."""

    pid: int
    host: str
    since: float
    started: float

    @classmethod
    def this(cls) -> "Owner":
        """Return the current process, from now on."""
        return cls(os.getpid(), socket.gethostname(), time.time(), psutil.Process().create_time())

    @property
    def alive(self) -> bool | None:
        """True if the process still runs, and not another one under its number; None on another machine."""
        if self.host != socket.gethostname():
            return None
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1.0
        except psutil.Error:
            return False

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        alive = {True: "alive", False: "ended by now", None: "on another machine, which cannot be looked at from here"}
        return f"process {self.pid} on {self.host}, since {when}, {alive[self.alive]}"


class Held(Exception):
    """Raised where another process, or another thread, holds the lock. owner: None if that is not known."""

    def __init__(self, file: Path, owner: Owner | None) -> None:
        super().__init__(f"{file} is held by {owner or _UNKNOWN}")
        self.owner = owner


@contextmanager
def locked(file: Path, *, patience: float, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of a file, whose folder has to exist, for the life of the `with`.

    The lock is the system's (flock): it ends with the process, however that ends, and what is left of the file means
    nothing. Where the file system has no locks a file `<file>.soft` with the holder's number stands for it; it is
    taken over when its process has ended or this machine has been restarted since, but not from another machine.
    Beside it lies `<file>.owner`, for the message alone.

    patience: seconds to wait for another holder before Held is raised; with `wait`, that is called with the owner's
    description then, and the waiting goes on.
    Raises: Held; OSError if no file can be made there.
    """
    lock = _acquired(file, patience, wait)
    owner = _owner_file(file)
    try:
        with suppress(OSError):  # a disk that is full; the lock holds without
            owner.unlink(missing_ok=True)  # a link that somebody put there is not written through
            owner.write_text(json.dumps(asdict(Owner.this())), encoding="utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                owner.unlink()
    finally:
        lock.release()


@contextmanager
def waiting(locks: Iterable[Path], what: str) -> Iterator[None]:
    """Hold these lock files, whose folders are made, for the life of the `with`; wait for other holders.

    what: named in the message on standard error while another process is waited for.
    Raises: OSError, whose text says what to do, if a lock cannot be made there.
    """
    with ExitStack() as held:
        for file in sorted(set(locks)):  # in one order: two processes that need several never wait for each other
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(file, patience=_PATIENCE, wait=partial(_report, what)))
            except OSError as error:
                raise OSError(error.errno, explained(error, file.parent), str(file.parent)) from error
        yield


def _report(what: str, owner: str) -> None:
    print(f"{what}: another process brings it, and is waited for: {owner}", file=sys.stderr, flush=True)


def is_locked(file: Path, *, patience: float = 0.0) -> bool:
    """Tell whether the lock stays held for `patience` seconds; a file left behind means nothing. Makes no file.

    Raises: OSError if the lock cannot be tried.
    """
    if not file.exists() and not _soft(file).exists():
        return False
    try:
        _acquired(file, patience, None).release()
    except Held:
        return True
    return False


def owner_of(file: Path) -> Owner | None:
    """Return the holder of the lock by the note beside it; None if that is not known, or the process has ended."""
    try:
        found = Owner(**json.loads(_owner_file(file).read_text(encoding="utf-8")))
        return None if found.alive is False else found
    except (OSError, ValueError, TypeError, OverflowError):
        return None


def _acquired(file: Path, patience: float, wait: Callable[[str], None] | None) -> BaseFileLock:
    """Return the lock, held; the caller releases it."""
    try:
        return _taken(FileLock(file), file, patience, wait)
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in _WITHOUT:
            raise
    return _taken(SoftFileLock(_soft(file)), file, patience, wait)


def _taken(lock: BaseFileLock, file: Path, patience: float, wait: Callable[[str], None] | None) -> BaseFileLock:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filelock reports that it takes a SoftFileLock for a FileLock
        try:
            lock.acquire(timeout=patience, poll_interval=_INTERVAL)
        except Timeout as error:
            owner = owner_of(file)
            if wait is None:
                raise Held(file, owner) from error
            wait(str(owner or _UNKNOWN))
            lock.acquire(timeout=-1, poll_interval=_INTERVAL)
    return lock


def _soft(file: Path) -> Path:
    return file.with_name(f"{file.name}.soft")


def _owner_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.owner")
