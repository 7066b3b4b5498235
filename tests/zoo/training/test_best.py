"""The best weights, kept and put back."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from zoo.training.best import Best

TASK: Any = SimpleNamespace(better=lambda new, old: new > old)


def network(value: float = 1.0) -> nn.Module:
    """Parameters, and buffers of two types."""
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made


def test_what_beats_the_best():
    """Anything but NaN beats nothing; later, what the task calls better."""
    best = Best(TASK)
    assert not best.is_beaten_by(float("nan"))
    assert best.is_beaten_by(0.1)
    best.take(network(), 1, 0.1)
    assert not best.is_beaten_by(0.1) and not best.is_beaten_by(float("nan"))
    assert best.is_beaten_by(0.2)


def test_restored_weights_are_those_taken_last():
    """Parameters and buffers come back to the bit, whatever became of the network in between; step and val are kept."""
    trained, best = network(), Best(TASK)
    assert not best.restore(trained)
    for step in (1, 2):
        with torch.no_grad():
            for tensor in trained.state_dict().values():
                tensor.add_(step)
        best.take(trained, step, step / 10)
        expected = copy.deepcopy(trained.state_dict())
    trained.load_state_dict(network(5.0).state_dict())
    assert best.restore(trained) and (best.step, best.val) == (2, 0.2)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_taken_again_without_new_memory():
    """The weights of the second time lie where those of the first time lay."""
    trained, best = network(), Best(TASK)
    best.take(trained, 1, 0.1)
    assert best.weights is not None
    places = [tensor.data_ptr() for tensor in best.weights.values()]
    best.take(trained, 2, 0.2)
    assert [tensor.data_ptr() for tensor in best.weights.values()] == places


@pytest.mark.parametrize("change", [lambda made: made.double(), lambda made: made.append(nn.Linear(2, 2))])
def test_a_network_that_has_changed_is_taken_as_it_is(change):
    """Of another type, or with more parts, it is not written over what was kept before."""
    trained, best = network(), Best(TASK)
    best.take(trained, 1, 0.1)
    change(trained)
    best.take(trained, 2, 0.2)
    assert best.weights is not None
    for name, tensor in trained.state_dict().items():
        assert torch.equal(best.weights[name], tensor) and best.weights[name].dtype == tensor.dtype


def test_state_is_copied_when_it_is_loaded():
    """What is taken later does not write into the state that another training may go on from."""
    best, later = Best(TASK), Best(TASK)
    best.take(network(1.0), 3, 0.3)
    later.load_state_dict(best.state_dict())
    assert (later.step, later.val) == (3, 0.3)
    later.take(network(2.0), 4, 0.4)
    assert best.weights is not None and (best.weights["0.weight"] == 1).all()
    Best(TASK).load_state_dict(Best(TASK).state_dict())
