"""Signals in the tests: heard whatever the process that starts pytest does about them."""

import signal
import subprocess
import sys
from pathlib import Path


def ignore_signals() -> None:
    """What a script's background job, and `nohup`, start with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_signals_are_heard():
    """A Ctrl-C is an exception, here and in a process that a test starts."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    code = "import signal as s; print(s.getsignal(s.SIGINT) is s.default_int_handler, s.getsignal(s.SIGTERM).name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True SIG_DFL\n"


def test_signals_are_heard_in_a_background_job():
    """The test before holds where pytest itself was started with signals ignored."""
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"{Path(__file__)}::test_signals_are_heard"]
    done = subprocess.run(
        [sys.executable, *words], preexec_fn=ignore_signals, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
