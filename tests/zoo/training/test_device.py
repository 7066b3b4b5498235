"""Choosing a device, with the reason."""

import pytest
import torch

from zoo.errors import TrainingError
from zoo.training.device import choose_device, choose_threads


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
