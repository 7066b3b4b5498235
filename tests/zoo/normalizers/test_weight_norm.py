"""Weight normalisation against torch's own parametrisation and finite differences."""

import copy
from typing import Any

import pytest
import torch
from torch.nn.utils.parametrizations import weight_norm

from zoo.normalizers.weight_norm import WeightNorm


def test_starts_as_the_identity() -> None:
    """With the gain it starts with, the weights come out as they went in."""
    weight = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    normalizer = WeightNorm()
    normalizer.warm_up(weight)
    torch.testing.assert_close(normalizer(weight), weight)


def test_agrees_with_torch() -> None:
    """Values and gradients equal torch's weight_norm, whose matrices are transposed."""
    linear: Any = weight_norm(torch.nn.Linear(5, 4, bias=False, dtype=torch.float64), dim=0)
    torch_g, torch_v = linear.parametrizations.weight.original0, linear.parametrizations.weight.original1
    weight = torch_v.detach().mT.clone().requires_grad_()
    normalizer = WeightNorm()
    normalizer.warm_up(weight)
    torch.nn.init.uniform_(normalizer.g)
    torch_g.data.copy_(normalizer.g.detach().mT)
    direction = torch.randn(5, 4, dtype=torch.float64)
    (normalizer(weight) * direction).sum().backward()
    (linear.weight.mT * direction).sum().backward()
    torch.testing.assert_close(normalizer(weight), linear.weight.mT)
    assert weight.grad is not None and normalizer.g.grad is not None
    torch.testing.assert_close(weight.grad, torch_v.grad.mT)
    torch.testing.assert_close(normalizer.g.grad, torch_g.grad.mT)


def test_gradient() -> None:
    """The gradient with respect to the weights agrees with finite differences."""
    weight = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    normalizer = WeightNorm()
    normalizer.warm_up(weight)
    assert torch.autograd.gradcheck(normalizer.normalize, (weight,))


@pytest.mark.parametrize(("mode", "learned"), [("reparametrize", True), ("project", False)])
def test_gain_is_learned_or_fixed(mode, learned) -> None:
    """Gain g is a parameter when re-parametrising and a buffer when projecting; it is saved either way."""
    normalizer = WeightNorm(mode=mode)
    normalizer.warm_up(torch.randn(2, 4, 3))
    assert ("g" in dict(normalizer.named_parameters())) is learned
    assert normalizer.state_dict()["g"].shape == (2, 1, 3)


def test_projection_keeps_the_initial_column_norms(adam_steps) -> None:
    """After 100 projected Adam steps every column is as long as it was."""
    normalizer = WeightNorm(mode="project")
    weight = adam_steps(normalizer)
    torch.testing.assert_close(torch.linalg.vector_norm(weight, dim=-2, keepdim=True), normalizer.g)


def test_zero_column() -> None:
    """A zero column stays zero, without NaN in its gradient."""
    weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]], requires_grad=True)
    normalizer = WeightNorm()
    normalizer.warm_up(weight)
    out = normalizer(weight)
    torch.testing.assert_close(out, weight)
    out.sum().backward()
    assert weight.grad is not None and torch.isfinite(weight.grad).all()
    assert normalizer.g.grad is not None and torch.isfinite(normalizer.g.grad).all()


def test_one_by_one() -> None:
    """A stack gives what single matrices give."""
    initial, weight = torch.randn(2, 3, 4, 2), torch.randn(3, 4, 2)
    stacked = WeightNorm()
    stacked.warm_up(initial[0])
    for index in range(3):
        single = WeightNorm()
        single.warm_up(initial[0, index])
        torch.testing.assert_close(stacked(weight)[index], single(weight[index]))


def test_state_dict_and_deepcopy() -> None:
    """The gain comes through a state_dict into a fresh instance, and deepcopy makes a gain of its own."""
    weight = torch.randn(4, 3)
    normalizer, fresh = WeightNorm(), WeightNorm()
    normalizer.warm_up(weight)
    fresh.warm_up(torch.randn(4, 3))
    fresh.load_state_dict(normalizer.state_dict())
    torch.testing.assert_close(fresh(weight), weight)
    twin = copy.deepcopy(normalizer)
    torch.nn.init.zeros_(twin.g)
    torch.testing.assert_close(normalizer(weight), weight)
