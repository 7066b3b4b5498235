"""One process at a time in a run folder."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from zoo.errors import RunBusy, RunError
from zoo.runs import run_lock as module
from zoo.runs.run_lock import claim, holder, is_claimed, refuse_if_claimed
from zoo.system.lock import locked

HOLDER = """
import sys, time
from pathlib import Path
from zoo.runs.run_lock import claim

with claim(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_held_for_the_life_of_the_with(tmp_path):
    """It need not be there; afterwards it is free, whatever ended the `with`."""
    path = tmp_path / "runs" / "seed-0"
    assert not is_claimed(path)
    with claim(path):
        assert is_claimed(path)
        assert not path.exists()
        assert not is_claimed(path.with_name("seed-1"))
    assert not is_claimed(path)
    with pytest.raises(ZeroDivisionError), claim(path):
        _ = 1 / 0
    assert not is_claimed(path)
    with claim(path):
        assert is_claimed(path)


def test_asking_makes_nothing(tmp_path):
    """Looking at runs that nobody began leaves no trace."""
    assert not is_claimed(tmp_path / "runs" / "seed-0")
    assert not list(tmp_path.iterdir())


def test_a_held_folder_is_refused(tmp_path):
    """The second to come is told at once what to do, and does not wait for the first."""
    path = tmp_path / "seed-0"
    said = rf"another process is training this run: process {os.getpid()} on .*, alive — expected one at a time"
    with claim(path), pytest.raises(RunBusy, match=said), claim(path):
        pytest.fail("held twice")
    refuse_if_claimed(path)
    with claim(path), pytest.raises(RunBusy, match=said):
        refuse_if_claimed(path)


def test_being_looked_at_is_not_being_held(tmp_path, monkeypatch):
    """Who asks whether a folder is held has it for a moment; a run that begins in that moment is not refused."""
    monkeypatch.setattr(module, "PATIENCE", 120.0)
    path = tmp_path / "seed-0"
    looking = threading.Event()

    def look() -> None:
        with locked(module._lock(path), patience=0.0):
            looking.set()
            time.sleep(0.2)

    other = threading.Thread(target=look)
    other.start()
    looking.wait()
    assert is_claimed(path)
    with claim(path):
        other.join()


def test_the_holder_in_words(tmp_path):
    """What a reader of an unfinished run is told; nothing where nobody holds it, or nobody can tell."""
    path = tmp_path / "seed-0"
    assert holder(path) is None
    with claim(path):
        assert f"process {os.getpid()} on " in str(holder(path))
    assert holder(path) is None
    assert holder(tmp_path / ("x" * 300)) is None


def test_a_holder_that_is_killed_lets_go(tmp_path):
    """The system frees the folder of a process that was given no chance to."""
    path = tmp_path / "seed-0"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_claimed(path)
        with pytest.raises(RunBusy), claim(path):
            pytest.fail("held twice")
        os.kill(holder.pid, signal.SIGKILL)
    assert not is_claimed(path)
    with claim(path):
        assert is_claimed(path)


def test_a_place_where_nothing_can_be_made_is_an_error(tmp_path):
    """It names the folder and the option."""
    (tmp_path / "file").write_text("in the way")
    said = r"cannot be made: .* — expected a folder to write to"
    with pytest.raises(RunError, match=said) as caught, claim(tmp_path / "file" / "seed-0"):
        pytest.fail("held")
    assert not isinstance(caught.value, RunBusy)
