"""Choosing a device, with the reason."""

import pytest
import torch

from zoo.errors import TrainingError
from zoo.system.process import choose_device, choose_threads


def test_auto_takes_cuda_where_there_is_one_and_says_why():
    """The choice and its reason agree with what PyTorch finds."""
    device, choice = choose_device("auto")
    assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choice.chosen == str(device)
    assert choice.why


def test_an_absent_cuda_device_is_refused():
    """A device that is not there is an error with the ones that are."""
    with pytest.raises(TrainingError, match=r"device cuda:99 — not there"):
        choose_device("cuda:99")


def test_what_is_asked_for_is_taken():
    """Cpu is cpu, whatever else there is."""
    device, choice = choose_device("cpu")
    assert (device, choice.why) == (torch.device("cpu"), "asked for")


def test_small_graphs_get_one_thread_and_large_ones_what_pytorch_takes():
    """The number and its reason follow the graph's size, unless a number is asked for."""
    assert choose_threads(None, 2708)[0] == 1
    assert "2,708 nodes" in choose_threads(None, 2708)[1].why
    assert choose_threads(None, 200_000)[0] >= 1
    assert "PyTorch" in choose_threads(None, 200_000)[1].why
    assert choose_threads(3, 2708) == (3, choose_threads(3, 10**6)[1])


def test_processes_of_a_machine_share_its_cores(monkeypatch):
    """Eight cores are four threads for each of two processes, at least one for each of many; small graphs keep one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    assert choose_threads(None, 200_000, processes=2)[0] == 4
    assert choose_threads(None, 200_000, processes=20)[0] == 1
    assert choose_threads(None, 200, processes=2)[0] == 1
    assert choose_threads(3, 200_000, processes=2)[0] == 3
    assert "2 processes share 8 cores" in choose_threads(None, 200_000, processes=2)[1].why


def test_each_process_of_a_team_has_a_device_of_its_own(monkeypatch):
    """CUDA devices in the order of the processes; a CPU for all where there is none."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for requested in ("auto", "cuda"):
        assert [choose_device(requested, place, 2)[0] for place in range(2)] == [
            torch.device("cuda:0"),
            torch.device("cuda:1"),
        ]
    assert choose_device("cpu", 1, 2)[0] == torch.device("cpu")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert choose_device("auto", 1, 2)[0] == torch.device("cpu")


@pytest.mark.parametrize(("requested", "count"), [("cuda:1", 4), ("auto", 1), ("cuda", 0)])
def test_a_device_for_several_processes_is_refused(monkeypatch, requested, count):
    """One named device, or fewer devices than processes, is an error that says how many there are."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    with pytest.raises(TrainingError, match=rf"device {requested} — 2 processes .*{count or 'none'}.*--nproc_per_node"):
        choose_device(requested, 0, 2)
