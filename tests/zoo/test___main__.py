"""`torchrun … -m zoo train`: one table, one message where something goes wrong, and an end in seconds."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from zoo.runs.run import Run
from zoo.system.team import TIMEOUT

# A sampler of which process BREAK fails in the fourth epoch, and which process SLOW falls asleep over.
PLUGIN = '''
import os, time
from registry import samplers
from zoo.errors import BuildError
from zoo.sampling.batching import Batching
from zoo.sampling.base import Sample, Sampler

@samplers.register("sevens")
class Sevens(Sampler):
    """Seven nodes at a time."""

    def __init__(self, graph, targets, setting):
        self.graph, self.targets, self.rank = graph, targets, setting.rank
        self.batching = Batching(len(targets), 7, setting.seed, setting.rank, setting.processes)

    @property
    def steps(self):
        return self.batching.steps

    def epoch(self, epoch, start=0):
        if epoch == 3:
            kind, who = os.environ.get("BREAK", "none -").split()
            if who == str(self.rank):
                if kind == "kill":
                    os.kill(os.getpid(), 9)
                raise {"mistake": BuildError, "bug": ValueError}[kind](f"sevens — process {self.rank} fails")
            if "SLOW" in os.environ:
                os.write(1, b"asleep\\n")
                time.sleep(3)
        for share in self.batching.epoch(epoch, start):
            nodes = self.targets[share.examples]
            yield Sample(self.graph, None, nodes, nodes, share.weight)
'''
TRAIN = ["-m", "zoo", "train", "smoke/res-gcn", "--plugin", "sevens.py", "task.sampler=sevens", "model.dropout=0.5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    (folder / "sevens.py").write_text(PLUGIN)
    return folder


def test_python_m_zoo_is_zoo():
    """The module runs the command."""
    done = subprocess.run([sys.executable, "-m", "zoo", "train", "--help"], capture_output=True, text=True, check=True)
    assert "torchrun" in done.stdout


def test_one_table_and_no_word_twice(torchrun, folder):
    """Only the leader prints; two seeds are trained by one team."""
    process = torchrun(*TRAIN, "--seeds", "0,1", "--runs", "whole", folder=folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("smoke/res-gcn") == 1
    assert "(2)" in out
    assert err.count("finished →") == 2
    assert err.count("processes: 2") == 1


def test_a_broken_run_goes_on_to_the_same_end(torchrun, folder):
    """One message and an exit code, long before others give process 1 up; resumed, the run ends as the whole one."""
    began = time.monotonic()
    process = torchrun(*TRAIN, "training.save=10 steps", "--runs", "broken", folder=folder, BREAK="mistake 1")
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert time.monotonic() - began < TIMEOUT.total_seconds() / 4
    assert err.count("error: sevens") == 1
    assert err.count("sevens — process 1 fails") == 1
    assert err.count("Traceback") == 1, "torchrun's own"
    process = torchrun(*TRAIN, "training.save=10 steps", "--runs", "broken", "--resume", folder=folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    if not (folder / "whole").is_dir():  # trained by the test before, where the same worker has run it
        torchrun(*TRAIN, "--runs", "whole", folder=folder).communicate(timeout=300)
    whole, resumed = (Run(next((folder / name).glob("**/seed-0/result.json")).parent) for name in ("whole", "broken"))
    columns = ["epoch", "step", "loss", "val", "best_val", "lr"]
    assert resumed.metrics[columns].equals(whole.metrics[columns])
    assert (resumed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert not list(resumed.path.parent.glob("*unfinished*")), "it was resumed, not begun anew"


def test_a_team_of_another_size_does_not_resume(torchrun, folder):
    """The random states are those of two processes: one alone is told so."""
    torchrun(*TRAIN, "training.save=10 steps", "--runs", "two", folder=folder, BREAK="bug 0").communicate(timeout=300)
    command = [sys.executable, *TRAIN, "training.save=10 steps", "--runs", "two", "--resume"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 2
    assert "a team of 2, and 1 train now" in done.stderr


@pytest.mark.parametrize(("how", "said"), [("bug 1", "ValueError: sevens — process 1 fails"), ("kill 1", "is gone")])
def test_a_bug_or_a_death_ends_all(torchrun, folder, how, said):
    """A plug-in's exception is told once, with its place; of a killed process the other one says that it is gone."""
    process = torchrun(*TRAIN, "--runs", how.replace(" ", "-"), folder=folder, BREAK=how)
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert err.count(said) == 1
    assert err.count("Traceback") == 1, "torchrun's own"
    assert ("sevens.py:" in err) == ("bug" in how)


def test_a_mistake_is_told_once(torchrun, folder):
    """What all processes find wrong in a recipe is one message."""
    process = torchrun("-m", "zoo", "train", "smoke/res-gcn", "model.depht=3", folder=folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert err.count("model.depht") == 1


@pytest.mark.parametrize(
    ("number", "to"), [(signal.SIGINT, "the group"), (signal.SIGTERM, "torchrun alone")], ids=["SIGINT", "SIGTERM"]
)
def test_interrupting_saves_and_ends_all(torchrun, folder, number, to):
    """One signal ends all processes after one and the same step, with one word, no trace but torchrun's, a state."""
    runs = f"{number}-{to.split()[-1]}"
    process = torchrun(*TRAIN, "training.save=200 steps", "--runs", runs, folder=folder, SLOW="1")
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, number) if to == "the group" else process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert not psutil.wait_procs(workers, timeout=120)[1]
    assert err.count("is saved in") == 1 and err.count("--resume") == 1
    assert err.count("Traceback") <= 1, "torchrun's own"
    (state,) = (folder / runs).glob("**/state.pt")
    assert 0 < torch.load(state, weights_only=True)["step"] < 100
    if number == signal.SIGTERM:  # the other one goes on from what was saved
        return
    process = torchrun(*TRAIN, "--runs", runs, "--resume", folder=folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    if not (folder / "whole").is_dir():
        torchrun(*TRAIN, "--runs", "whole", folder=folder).communicate(timeout=300)
    whole, resumed = (next((folder / name).glob("**/seed-0/model.safetensors")) for name in ("whole", runs))
    assert whole.read_bytes() == resumed.read_bytes()
