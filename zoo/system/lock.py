"""One process at a time: a lock on a file, which the system lets go when its holder dies, and word of who holds it."""

import errno
import json
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

# What flock answers where the file system has no locks.
_WITHOUT = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_AGAIN = 0.1  # seconds between two attempts


@dataclass(frozen=True)
class Owner:
    """Who holds a lock. since, started: when it was taken and when the process began, in seconds since 1970."""

    pid: int
    host: str
    since: float
    started: float

    @classmethod
    def this(cls) -> "Owner":
        """The process that runs, from now on."""
        return cls(os.getpid(), socket.gethostname(), time.time(), psutil.Process().create_time())

    @property
    def alive(self) -> bool | None:
        """Whether the process is there still, and not another one of its number; None of another machine's."""
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
    """Another process, or another thread, holds the lock. owner: who, None if that is not known."""

    def __init__(self, file: Path, owner: Owner | None) -> None:
        super().__init__(f"{file} is held by {owner or 'a process that is not known'}")
        self.owner = owner


@contextmanager
def locked(file: Path, *, patience: float, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of a file, whose folder has to be there, for the life of the `with`.

    The lock is the system's (flock): it ends with the process, however that ends, and what is left of the file means
    nothing. Where the file system knows no locks a file `<file>.soft` with the holder's number stands for it; it is
    taken over when its process has ended or this machine has been started anew since, but not from another machine.
    Beside it lies `<file>.owner`, for the message alone.

    patience: seconds after which somebody else's lock is Held; with `wait` it is called with the owner's description
    then, and the lock is waited for.
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


def is_locked(file: Path, *, patience: float = 0.0) -> bool:
    """Whether somebody holds the lock for `patience` seconds from now; a file left behind says nothing. Makes no file.

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
    """Who holds the lock, by what it wrote beside it; None if that is not known, or the process has ended since."""
    try:
        found = Owner(**json.loads(_owner_file(file).read_text(encoding="utf-8")))
        return None if found.alive is False else found
    except (OSError, ValueError, TypeError, OverflowError):
        return None


def _acquired(file: Path, patience: float, wait: Callable[[str], None] | None) -> BaseFileLock:
    """The lock, held; the caller releases it."""
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
        warnings.simplefilter("ignore")  # filelock tells that it takes a SoftFileLock for a FileLock
        try:
            lock.acquire(timeout=patience, poll_interval=_AGAIN)
        except Timeout as error:
            owner = owner_of(file)
            if wait is None:
                raise Held(file, owner) from error
            wait(str(owner or "a process that is not known"))
            lock.acquire(timeout=-1, poll_interval=_AGAIN)
    return lock


def _soft(file: Path) -> Path:
    return file.with_name(f"{file.name}.soft")


def _owner_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.owner")
