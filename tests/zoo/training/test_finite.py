"""Steps that are not taken where a number is not finite, whether the host looks before or afterwards."""

import copy

import pytest
import torch
from torch import nn

from zoo.training.finite import FiniteSteps
from zoo.training.optim import adam, adamw, sgd

OPTIMIZERS = {
    "adam": lambda network: adam(network, weight_decay=0.1),
    "adamw": adamw,
    "sgd": lambda network: sgd(network, momentum=0.9, nesterov=True),
}


def stepped(make, number: float, *, after: bool) -> tuple[nn.Module, torch.optim.Optimizer, list[bool]]:
    """A network after a step on finite numbers and one on `number`, and whether each was taken."""
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = make(network)
    steps = FiniteSteps(optimizer, torch.device("cpu"))
    assert not steps.looks_after
    steps.looks_after = after
    taken = []
    for value in (1.0, number):
        optimizer.zero_grad()
        (network(torch.ones(4, 3)).square().sum() * value).backward()
        taken.append(bool(steps.take(torch.tensor(value))))
    return network, optimizer, taken


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_looking_afterwards_leaves_all_as_looking_before_does(name, number):
    """The optimiser's kernels, told on the device, change no parameter, moment or count of steps."""
    before, after = (stepped(OPTIMIZERS[name], number, after=choice) for choice in (False, True))
    assert before[2] == after[2] == [True, False]
    for left, right in zip(before[0].parameters(), after[0].parameters(), strict=True):
        assert torch.equal(left, right)
    states = [optimizer.state_dict()["state"] for _, optimizer, _ in (before, after)]
    for index, state in states[0].items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][index][key])), key


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_looking_afterwards_takes_the_same_finite_steps(name):
    """Bitwise the step of the plain optimiser, which is left without the marks of a scaler."""
    before, after = (stepped(OPTIMIZERS[name], 2.0, after=choice) for choice in (False, True))
    assert before[2] == after[2] == [True, True]
    assert all(map(torch.equal, before[0].parameters(), after[0].parameters()))
    assert not hasattr(after[1], "found_inf")


def test_an_optimizer_without_such_kernels_is_asked_before():
    """One that is not fused would step whatever the number is."""
    network = nn.Linear(3, 2)
    before = copy.deepcopy(network.state_dict())
    steps = FiniteSteps(torch.optim.Adam(network.parameters(), lr=0.1), torch.device("cuda"))
    assert not steps.looks_after
    network(torch.ones(4, 3)).sum().backward()
    assert not steps.take(torch.tensor(float("nan")))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_fused_optimizer_on_a_gpu_is_asked_afterwards():
    """The way of a GPU is chosen by the device, and by what the optimiser can do."""
    assert FiniteSteps(adam(nn.Linear(3, 2)), torch.device("cuda")).looks_after
