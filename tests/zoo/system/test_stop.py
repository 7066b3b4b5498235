"""Signals while training: heard once, answered when the training is ready, and as before afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import zoo
from zoo.system import stop
from zoo.system.stop import Interrupted, Stop, Terminated, terminate


@pytest.fixture(autouse=True)
def handlers():
    """Python's own, whatever other tests left (Ray has one that stays); what a test arranges is undone."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)])
def test_the_first_signal_waits(number, error):
    """It is kept until the training leaves for it; the handlers are as before then."""
    before = signal.getsignal(number)
    with pytest.raises(error, match="saved"), Stop() as heard:
        assert signal.getsignal(number) is not before
        signal.raise_signal(number)
        assert heard.asked == number
        heard.leave("the state is saved")
    assert signal.getsignal(number) is before


def test_callers_see_what_they_always_see():
    """`except KeyboardInterrupt` catches a Ctrl-C; a SIGTERM ends the process, with 143, past `except Exception`."""
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert issubclass(Terminated, SystemExit) and Terminated("x").code == 143


def test_a_second_ctrl_c_leaves_at_once():
    """The training is not waited for any longer."""
    with pytest.raises(KeyboardInterrupt), Stop():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("was not left")


def test_sigterm_may_come_twice():
    """Who tells a process to end tells its children, and so may others: the state is saved all the same."""
    with pytest.raises(Terminated), Stop() as heard:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        heard.leave("saved")


def test_in_a_team_an_echo_is_no_second_ctrl_c(monkeypatch):
    """The terminal's Ctrl-C and torchrun's, a moment later, are one; the next one after that is another."""
    now = 100.0
    monkeypatch.setattr(stop.time, "monotonic", lambda: now)
    with pytest.raises(KeyboardInterrupt), Stop(echoes=True) as heard:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert heard.asked == signal.SIGINT
        now = 106.0
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_nobody_answered_is_raised_again():
    """A training that ends by itself in the same moment does not swallow a Ctrl-C."""
    with pytest.raises(KeyboardInterrupt), Stop():
        signal.raise_signal(signal.SIGINT)


def test_an_error_is_not_hidden_by_a_signal():
    """What went wrong is more than that it was to end."""
    with pytest.raises(ValueError, match="wrong"), Stop():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("wrong")


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "their own"])
def test_what_a_caller_has_arranged_stays(own):
    """A handler that is neither Python's nor the zoo's is not replaced."""
    signal.signal(signal.SIGINT, own)
    signal.signal(signal.SIGTERM, own)
    with Stop():
        assert signal.getsignal(signal.SIGINT) is own and signal.getsignal(signal.SIGTERM) is own


def test_the_commands_own_handler_is_replaced():
    """`terminate` leaves at once where nothing is trained, and waits where something is."""
    signal.signal(signal.SIGTERM, terminate)
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Terminated, match="saved"), Stop() as heard:
        signal.raise_signal(signal.SIGTERM)
        heard.leave("saved")
    assert signal.getsignal(signal.SIGTERM) is terminate


def test_nothing_is_heard_without_a_state_to_save():
    """A trainer without a saver is left at once, as any loop."""
    before = signal.getsignal(signal.SIGINT)
    with Stop(active=False):
        assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_train_without_handlers(tmp_path):
    """Python allows handlers in the main thread alone: training in another one works, and leaves them alone."""
    before, runs = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: runs.append(zoo.train("smoke/mlp", runs=tmp_path, device="cpu")))
    thread.start()
    thread.join()
    assert runs[0].status == "finished" and signal.getsignal(signal.SIGINT) is before


ENDLESS = """
import sys, zoo
from pathlib import Path

class Say:
    def measured(self, row):
        if row["step"] == 3:
            print("training", flush=True)
    def probed(self, row):
        pass

try:
    zoo.train("smoke/mlp", {"training.duration": 1000000}, runs=sys.argv[1], device="cpu", watch=lambda built: Say())
except KeyboardInterrupt as error:
    print(type(error).__name__, error, error.path)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_program_that_trains_can_be_ended(number, code, tmp_path):
    """From Python a Ctrl-C can be caught, and knows of the state; a SIGTERM ends the program, without a trace."""
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "runs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (code, "")
    assert ("Interrupted the state after step" in out) == (number == signal.SIGINT)
    assert list((tmp_path / "runs").glob("**/state.pt"))
