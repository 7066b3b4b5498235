"""The parts of an optimiser step: the loss, the norm of its gradients, and a step that is not taken."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.training.optim import adam, adamw, sgd
from zoo.training.steps import FiniteSteps, clipped_norm, training_loss

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


def some_parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (), (2, 2))]
    for parameter in made[:3]:  # the last has no gradient
        parameter.grad = torch.randn_like(parameter)
    return made


@pytest.mark.parametrize("largest", [0.1, 100.0, math.inf])
def test_norm_and_gradients_are_those_of_pytorch(largest):
    """To the bit, whether the bound binds, does not, or is none."""
    mine, other = some_parameters(), some_parameters()
    assert torch.equal(clipped_norm(mine, largest), nn.utils.clip_grad_norm_(other, largest))
    for left, right in zip(mine[:3], other[:3], strict=True):
        assert left.grad is not None and right.grad is not None and torch.equal(left.grad, right.grad)
    assert mine[3].grad is None


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_what_is_not_finite_is_seen(value):
    """A bad number in any gradient, and finite ones whose common norm overflows."""
    made = some_parameters()
    assert made[1].grad is not None
    made[1].grad[2] = value
    assert not torch.isfinite(clipped_norm(made, math.inf))


def test_no_gradients():
    """Without any the norm is 0."""
    assert clipped_norm(some_parameters()[3:], math.inf) == 0


def test_penalties_are_added_and_trained_on(tmp_path):
    """Loss and gradients are those of both terms; a module without penalties has its task's loss."""
    built = zoo.build("smoke/res-gcn", {"normalizer": "none", "regularizer": {"name": "orthogonality", "weight": 0.1}})
    network, batch = built.network.double().train(), next(built.task.batches(0))
    task: Any = built.task
    task.features = task.features.double()
    loss = training_loss(network, built.task, batch)
    gram = [w.T @ w - torch.eye(w.shape[1], dtype=torch.float64) for w in network.block_matrices().values()]
    expected = built.task.loss(network, batch) + 0.1 * sum(g.square().sum() for g in gram)
    torch.testing.assert_close(loss, expected.to(loss.dtype), rtol=1e-6, atol=0)
    parameters = list(network.block_matrices().values())
    for mine, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-8)

    class Stub:
        def loss(self, network, batch):
            return torch.tensor(2.0)

    assert training_loss(nn.Identity(), Stub(), None) == 2  # pyright: ignore[reportArgumentType]


def test_penalties_are_computed_in_float32_under_autocast():
    """The distance of near-orthogonal matrices is lost in bfloat16: a penalty is that without autocast."""
    built = zoo.build("smoke/res-gcn", {"normalizer": "none", "regularizer": {"name": "orthogonality", "weight": 1.0}})
    network, batch = built.network.train(), next(built.task.batches(0))
    with torch.autocast("cpu", torch.bfloat16):
        loss, own = training_loss(network, built.task, batch), built.task.loss(network, batch)
    expected = network.penalty()
    assert expected is not None
    torch.testing.assert_close(loss - own, expected, rtol=1e-5, atol=1e-5)


def test_a_trained_penalty_falls(tmp_path):
    """With a heavy weight the matrices end nearer to orthogonal ones than they started."""
    changes = {"normalizer": "none", "training.duration": "20 epochs", "training.patience": None}
    penalty = {"regularizer": {"name": "orthogonality", "weight": 1.0}}
    run = zoo.train("smoke/res-gcn", {**changes, **penalty}, runs=tmp_path)
    assert run.metrics["loss"].iloc[-1] < 0.5 * run.metrics["loss"].iloc[0]
