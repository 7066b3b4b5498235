"""The norm of all gradients, against PyTorch's own clipping."""

import math

import pytest
import torch
from torch import nn

from zoo.training.clip import clipped_norm


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (), (2, 2))]
    for parameter in made[:3]:  # the last has no gradient
        parameter.grad = torch.randn_like(parameter)
    return made


@pytest.mark.parametrize("largest", [0.1, 100.0, math.inf])
def test_norm_and_gradients_are_those_of_pytorch(largest):
    """To the bit, whether the bound binds, does not, or is none."""
    mine, other = parameters(), parameters()
    assert torch.equal(clipped_norm(mine, largest), nn.utils.clip_grad_norm_(other, largest))
    for left, right in zip(mine[:3], other[:3], strict=True):
        assert left.grad is not None and right.grad is not None and torch.equal(left.grad, right.grad)
    assert mine[3].grad is None


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_what_is_not_finite_is_seen(value):
    """A bad number in any gradient, and finite ones whose common norm overflows."""
    made = parameters()
    assert made[1].grad is not None
    made[1].grad[2] = value
    assert not torch.isfinite(clipped_norm(made, math.inf))


def test_no_gradients():
    """Without any the norm is 0."""
    assert clipped_norm(parameters()[3:], math.inf) == 0
