"""DGN, which never lays the groups out, against PyTorch Geometric, which does."""

from typing import Any

import pytest
import torch
from torch_geometric.nn import norm as pyg

from zoo.normalizers.dgn import DifferentiableGroupNorm


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


def pair_of(groups: int = 4, **options: Any) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """Ours and PyG's in float64 with the same random parameters, and these in pairs."""
    ours = DifferentiableGroupNorm(8, groups=groups, scale=0.5, **options).double()
    oracle = pyg.DiffGroupNorm(8, groups, lamda=0.5, **{"momentum": 0.3, **options}).double()
    pairs = [
        (ours.assignment.weight, oracle.lin.weight),
        (ours.gamma, oracle.norm.weight),
        (ours.beta, oracle.norm.bias),
    ]
    for mine, other in pairs:
        torch.nn.init.normal_(mine)
        other.data.copy_(mine.data.view_as(other))
    return ours, oracle, pairs


@pytest.mark.parametrize("groups", [1, 4, 10])
def test_equals_pyg(x, groups) -> None:
    """Result and gradients equal PyG's in training, and after two steps the running statistics, hence eval, too."""
    ours, oracle, pairs = pair_of(groups, momentum=0.2, eps=1e-3)
    x.requires_grad_()
    mine, other = ours(None, x), oracle(x)
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)
    incoming = torch.randn_like(x)
    got = torch.autograd.grad(mine, [x, *(pair[0] for pair in pairs)], incoming)
    wanted = torch.autograd.grad(other, [x, *(pair[1] for pair in pairs)], incoming)
    for ours_grad, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours_grad, theirs.view_as(ours_grad), rtol=0, atol=1e-9)
    ours(None, 2 * x)
    oracle(2 * x)
    torch.testing.assert_close(ours.running_mean.flatten(), oracle.norm.running_mean, rtol=0, atol=1e-10)
    torch.testing.assert_close(ours.running_var.flatten(), oracle.norm.running_var, rtol=0, atol=1e-10)
    torch.testing.assert_close(ours.eval()(None, 3 * x), oracle.eval()(3 * x), rtol=0, atol=1e-10)


def test_defaults(x) -> None:
    """Without options: 10 groups, λ = 0.01 and a momentum of 0.3."""
    torch.manual_seed(3)
    ours = DifferentiableGroupNorm(8).double()
    oracle = pyg.DiffGroupNorm(8, 10, lamda=0.01, momentum=0.3).double()
    oracle.lin.weight.data.copy_(ours.assignment.weight.data)
    torch.testing.assert_close(ours(None, x), oracle(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.eval()(None, x), oracle.eval()(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-4])
def test_smoothed_features_in_float32(x, spread) -> None:
    """Rows equal but for a small part are normalised in float32 as float64 does it: nothing cancels."""
    ours, oracle, _ = pair_of(eps=1e-14)
    wide = 10 + spread * torch.randn_like(x)
    expected = oracle(wide.float().double()) - wide.float().double()
    actual = ours.float()(None, wide.float()) - wide.float()
    assert (actual - expected).norm() < 2e-6 / spread * expected.norm()


def test_one_node() -> None:
    """A single node is its own mean: β alone is added, and the running statistics stay finite."""
    module = DifferentiableGroupNorm(8, groups=3, scale=0.5)
    torch.nn.init.normal_(module.beta)
    x = torch.randn(1, 8)
    torch.testing.assert_close(module(None, x), x + 0.5 * module.beta.sum(dim=0))
    assert module.running_var.isfinite().all()


def test_gradient(x) -> None:
    """The gradient agrees with finite differences."""
    module, _, _ = pair_of()
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))
