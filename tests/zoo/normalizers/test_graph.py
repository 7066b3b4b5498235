"""GraphNorm against PyTorch Geometric, in float64."""

import pytest
import torch
from torch_geometric.nn import norm as pyg

from zoo.normalizers.graph import GraphNorm


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


@pytest.mark.parametrize("training", [True, False])
def test_equals_pyg(x, training) -> None:
    """The result and the gradients of α, γ and β equal PyG's, in training and in eval."""
    ours = GraphNorm(8, eps=1e-3).double().train(training)
    oracle = pyg.GraphNorm(8, eps=1e-3).double().train(training)
    pairs = [(ours.gamma, oracle.weight), (ours.beta, oracle.bias), (ours.alpha, oracle.mean_scale)]
    for mine, other in pairs:
        torch.nn.init.normal_(mine)
        other.data.copy_(mine.data)
    mine, other = ours(None, x), oracle(x)
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)
    incoming = torch.randn_like(x)
    got = torch.autograd.grad(mine, [pair[0] for pair in pairs], incoming)
    wanted = torch.autograd.grad(other, [pair[1] for pair in pairs], incoming)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


def test_starts_as_instance_normalisation(x) -> None:
    """Before training it takes the whole mean away and leaves unit variance."""
    out = GraphNorm(8, eps=1e-12).double()(None, x)
    torch.testing.assert_close(out.mean(dim=0), torch.zeros(8, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(out.var(dim=0, correction=0), torch.ones(8, dtype=torch.float64), rtol=0, atol=1e-10)


def test_gradient(x) -> None:
    """The gradient agrees with finite differences."""
    module = GraphNorm(8).double()
    torch.nn.init.normal_(module.alpha)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))
