"""A lock ends with its holder, says who that is, and works where the file system has none."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from zoo.system.lock import Held, Owner, is_locked, locked, owner_of

HOLDER = """
import errno, fcntl, os, sys, time
from pathlib import Path

if len(sys.argv) > 2:
    def flock(descriptor, operation):
        raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))
    fcntl.flock = flock
from zoo.system.lock import locked

with locked(Path(sys.argv[1]), patience=0.0):
    print("held", flush=True)
    if os.environ.get("FORK") and not os.fork():
        print("child", flush=True)
        time.sleep(60)
    time.sleep(600)
"""


@pytest.fixture
def holder() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that holds a file's lock until it is killed; number: what flock answers there instead."""
    started: list[subprocess.Popen[str]] = []

    def start(file: Path, number: int | None = None, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(file), *([str(number)] if number else [])]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):  # all of it is dead already
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def without_flock(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let flock answer as on a file system that has no locks."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_the_holder_is_told(tmp_path, holder):
    """Who comes second hears of the first: its number, its machine, since when, and that it lives."""
    file = tmp_path / "lock"
    process = holder(file)
    with pytest.raises(Held) as caught, locked(file, patience=0.0):
        pytest.fail("held twice")
    owner = caught.value.owner
    assert owner is not None and owner.pid == process.pid and owner.host == socket.gethostname()
    assert 0 <= time.time() - owner.since < 60
    assert f"process {process.pid} on {owner.host}, since " in str(owner) and str(owner).endswith(", alive")


@pytest.mark.parametrize("number", [None, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_holder_that_is_killed_lets_go(tmp_path, monkeypatch, holder, number):
    """SIGKILL leaves files, and they mean nothing: also where there is no flock, in any of the ways that says so."""
    file = tmp_path / "lock"
    process = holder(file, number)
    if number:
        without_flock(monkeypatch, number)
    assert is_locked(file)
    with pytest.raises(Held), locked(file, patience=0.0):
        pytest.fail("held twice")
    process.kill()
    process.wait()
    assert not is_locked(file)
    assert owner_of(file) is None
    with locked(file, patience=0.0):
        assert is_locked(file)
    assert not is_locked(file)


def test_a_number_that_another_process_has_by_now(tmp_path, monkeypatch, holder):
    """After a restart of the machine the holder's number may be somebody else's: the lock is free all the same."""
    file = tmp_path / "lock"
    process = holder(file, errno.ENOLCK)
    process.kill()
    process.wait()
    without_flock(monkeypatch, errno.ENOLCK)
    for left in (file.with_name("lock.soft"), file.with_name("lock.owner")):
        left.write_text(left.read_text().replace(str(process.pid), str(os.getppid())))
    assert owner_of(file) is None
    with locked(file, patience=0.0):
        pass


def test_another_machine_is_believed(tmp_path, monkeypatch):
    """Without flock, a lock of another machine's process stands: nobody here can tell whether it lives."""
    without_flock(monkeypatch, errno.ENOLCK)
    file = tmp_path / "lock"
    file.with_name("lock.soft").write_text("1\nelsewhere\n")
    owner = Owner(1, "elsewhere", time.time(), time.time())
    file.with_name("lock.owner").write_text(json.dumps(owner.__dict__))
    assert is_locked(file)
    with pytest.raises(Held, match=r"process 1 on elsewhere, .* cannot be looked at from here"):
        locked(file, patience=0.0).__enter__()


def test_waiting_for_a_thread(tmp_path):
    """With `wait` the lock is had in the end; who holds it is told once, before."""
    file, told, release = tmp_path / "lock", [], threading.Event()
    inside = threading.Event()

    def hold() -> None:
        with locked(file, patience=0.0):
            inside.set()
            release.wait(10)

    def wait(owner: str) -> None:
        told.append(owner)
        release.set()

    other = threading.Thread(target=hold)
    other.start()
    inside.wait(10)
    with locked(file, patience=0.0, wait=wait):
        other.join(10)
        assert not other.is_alive()
    (said,) = told
    assert f"process {os.getpid()} on" in said


def test_a_child_does_not_hold_on(tmp_path, holder):
    """A process that the holder forked, as loaders of samples are, does not keep its lock when the holder is killed."""
    file = tmp_path / "lock"
    process = holder(file, FORK="1")
    assert process.stdout is not None and process.stdout.readline() == "child\n"
    process.kill()
    process.wait()
    assert not is_locked(file)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x", "host": 1, "since": null, "started": 0}', None])
def test_word_of_the_owner_that_is_damaged(tmp_path, text):
    """The lock holds whatever is written beside it; the message then does without."""
    file = tmp_path / "lock"
    with locked(file, patience=0.0):
        beside = file.with_name("lock.owner")
        beside.unlink() if text is None else beside.write_text(text)
        with pytest.raises(Held), locked(file, patience=0.0):
            pytest.fail("held twice")


def test_no_room_for_word_of_the_owner(tmp_path, monkeypatch):
    """On a full disk, where the lock's file is there from before, it is held without word of who holds it."""
    file = tmp_path / "lock"
    with locked(file, patience=0.0):
        pass

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with locked(file, patience=0.0):
        assert is_locked(file) and owner_of(file) is None


def test_other_errors_are_the_callers(tmp_path):
    """Where no file can be made there is no lock."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|Not a directory"), locked(tmp_path / "file" / "lock", patience=0.0):
        pytest.fail("held")


def test_a_link_beside_the_lock_is_not_written_through(tmp_path):
    """Who holds it is noted in a file of its own, whatever lies in its place."""
    other = tmp_path / "precious"
    other.write_text("kept")
    (tmp_path / "x.lock.owner").symlink_to(other)
    with locked(tmp_path / "x.lock", patience=0.0):
        assert owner_of(tmp_path / "x.lock") is not None
    assert other.read_text() == "kept"
