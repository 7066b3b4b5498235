"""Linear and its initialisation."""

import pytest
import torch

from zoo.layers.linear import Linear, glorot


def test_glorot_has_the_variance_of_the_paper():
    """Glorot's weights are uniform with variance 2 / (in + out), per matrix of a stack."""
    torch.manual_seed(0)
    weight = glorot(3, 300, 500)
    assert weight.var().item() == pytest.approx(2 / 800, rel=0.02)
    assert 0.99 * (6 / 800) ** 0.5 < weight.abs().max().item() <= (6 / 800) ** 0.5


def test_linear_is_the_product():
    """The map is x W + b, with a zero bias at first."""
    linear, x = Linear(4, 3), torch.randn(5, 4)
    assert torch.allclose(linear(x), x @ linear.weight) and torch.equal(linear.bias, torch.zeros(3))  # type: ignore[arg-type]
    assert Linear(4, 3, bias=False).bias is None
