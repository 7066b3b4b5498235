"""Optimisers against the formula, and options per group."""

import copy

import pytest
import torch
from torch import nn

from zoo.errors import BuildError
from zoo.training.optim import Group, adam, adamw, sgd


def network() -> nn.ModuleDict:
    torch.manual_seed(0)
    blocks = nn.ModuleList(nn.Linear(3, 3, dtype=torch.float64) for _ in range(12))
    return nn.ModuleDict({"encoder": nn.Linear(3, 3, dtype=torch.float64), "blocks": blocks})


def one_step(net: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()


def test_adam_follows_its_formula():
    """Three steps equal Kingma & Ba's algorithm 1 with the decay added to the gradient, in float64."""
    net = network()
    reference = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in reference.items()}
    optimizer = adam(net, lr=0.01, weight_decay=0.1, beta1=0.8, beta2=0.99)
    for step in range(1, 4):
        one_step(net, optimizer, seed=step)
        torch.manual_seed(step)
        for name, value in reference.items():
            gradient = torch.randn_like(value) + 0.1 * value
            m, v = moments[name]
            m, v = 0.8 * m + 0.2 * gradient, 0.99 * v + 0.01 * gradient**2
            moments[name] = m, v
            value -= 0.01 * (m / (1 - 0.8**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-8)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.detach(), reference[name], rtol=1e-10, atol=1e-12)


def test_adamw_keeps_decay_apart_from_the_gradient():
    """With a zero gradient a step only shrinks the weights by lr·decay."""
    net = network()
    before = copy.deepcopy(net.state_dict())
    optimizer = adamw(net, lr=0.1, weight_decay=0.5)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.detach(), 0.95 * before[name])


def test_the_longest_prefix_decides_the_group():
    """`blocks.1` is not the beginning of `blocks.10`, and wins over `blocks` for its own parameters."""
    net = network()
    optimizer = sgd(net, lr=0.1, groups={"blocks": Group(weight_decay=0.2), "blocks.1": Group(lr=0.7)})
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    by_name = {name: rates[id(parameter)] for name, parameter in net.named_parameters()}
    assert by_name["encoder.weight"] == (0.1, 0.0)
    assert by_name["blocks.1.weight"] == (0.7, 0.0)
    assert by_name["blocks.10.weight"] == (0.1, 0.2)
    assert len(by_name) == sum(len(group["params"]) for group in optimizer.param_groups)


def test_a_group_without_parameters_is_a_mistake():
    """A prefix that fits nothing is refused with prefixes that would."""
    with pytest.raises(BuildError, match=r"optimizer.groups.block — matches no parameter .* blocks, encoder"):
        adam(network(), groups={"block": Group(lr=0.1)})


def test_nesterov_needs_momentum():
    """The option that PyTorch refuses is refused with the way out."""
    with pytest.raises(BuildError, match="momentum above 0"):
        sgd(network(), nesterov=True)
