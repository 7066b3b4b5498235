"""PairNorm and MeanNorm against PyTorch Geometric and the closed form of μ."""

import math

import pytest
import torch
from torch_geometric.nn import norm as pyg

from zoo.normalizers.pair import MeanNorm, PairNorm


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


def mu(x: torch.Tensor) -> torch.Tensor:
    """‖X − 1·γ‖_F, by projecting out the constant vector."""
    ones = torch.full((x.shape[0], 1), x.shape[0] ** -0.5, dtype=x.dtype)
    return torch.linalg.matrix_norm(x - ones @ (ones.mT @ x))


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_mu_is_constant(x, scale) -> None:
    """μ of PN's output is s·√n, whatever the input."""
    out = PairNorm(8, scale=scale)(None, x)
    assert mu(out).item() == pytest.approx(scale * math.sqrt(20), rel=1e-7)
    assert mu(PairNorm(8, scale=scale)(None, 1000 * x)).item() == pytest.approx(scale * math.sqrt(20), rel=1e-7)


def test_pn_equals_pyg(x) -> None:
    """PN equals PyG's PairNorm with the same eps, to 1e-10."""
    oracle = pyg.PairNorm(scale=2.0, eps=1e-6)
    torch.testing.assert_close(PairNorm(8, scale=2.0)(None, x), oracle(x), rtol=0, atol=1e-10)


def test_pn_si_equals_pyg(x) -> None:
    """PN-SI equals PyG's individual scaling up to where the two put their eps."""
    oracle = pyg.PairNorm(scale=2.0, scale_individually=True, eps=0.0)
    torch.testing.assert_close(PairNorm(8, variant="PN-SI", scale=2.0)(None, x), oracle(x), rtol=1e-6, atol=1e-6)


def test_pn_scs_row_by_row(x) -> None:
    """PN-SCS puts each row on the sphere of radius s, then subtracts the mean of the input."""
    out = PairNorm(8, variant="PN-SCS", scale=2.0)(None, x)
    lengths = torch.linalg.vector_norm(out + x.mean(dim=0), dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2.0))
    cosine = torch.nn.functional.cosine_similarity(out + x.mean(dim=0), x)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_mean_equals_pyg(x) -> None:
    """MeanNorm equals PyG's MeanSubtractionNorm."""
    torch.testing.assert_close(MeanNorm(8)(None, x), pyg.MeanSubtractionNorm()(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", ["PN", "PN-SI", "PN-SCS"])
def test_equal_rows(variant) -> None:
    """Wholly smoothed features give finite values and gradients."""
    x = torch.ones(5, 8).requires_grad_()
    out = PairNorm(8, variant=variant)(None, x)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert x.grad is not None and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("variant", ["PN", "PN-SI", "PN-SCS"])
def test_gradient(variant, x) -> None:
    """The gradient agrees with finite differences."""
    module = PairNorm(8, variant=variant, scale=2.0)
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))
