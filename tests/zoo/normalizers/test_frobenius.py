"""Frobenius normalisation against torch.linalg and finite differences."""

import pytest
import torch

from zoo.normalizers.frobenius import Frobenius, FrobeniusSoft


def test_sphere() -> None:
    """Every matrix comes out with norm c and in the direction it had."""
    weight = torch.randn(5, 4, 7, dtype=torch.float64)
    out = Frobenius(c=0.5)(weight)
    torch.testing.assert_close(torch.linalg.matrix_norm(out), torch.full((5,), 0.5, dtype=torch.float64))
    for before, after in zip(weight, out, strict=True):
        torch.testing.assert_close(after, 0.5 * before / torch.linalg.matrix_norm(before))


def test_soft_is_the_identity_inside_the_ball() -> None:
    """A short matrix is untouched, a long one is put on the sphere."""
    short, long = torch.full((2, 2), 0.1), torch.full((2, 2), 10.0)
    out = FrobeniusSoft(c=1.0)(torch.stack([short, long]))
    assert torch.equal(out[0], short)
    torch.testing.assert_close(out[1], torch.full((2, 2), 0.5))


@pytest.mark.parametrize("mode", ["reparametrize", "project"])
@pytest.mark.parametrize("kind", [Frobenius, FrobeniusSoft])
def test_bound_after_training(kind, mode, adam_steps) -> None:
    """After 100 Adam steps ‖W‖_F and ‖W‖_2 are at most c in both modes."""
    weight = adam_steps(kind(c=0.5, mode=mode))
    assert torch.linalg.matrix_norm(weight).max() <= 0.5 * (1 + 1e-5)
    assert torch.linalg.matrix_norm(weight, ord=2).max() <= 0.5 * (1 + 1e-5)
    assert torch.linalg.matrix_norm(weight).min() >= 0.5 * (1 - 1e-5), "the target pulls outwards"


@pytest.mark.parametrize("heads", ["each", "mean"])
@pytest.mark.parametrize("kind", [Frobenius, FrobeniusSoft])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (2, 3, 4, 2)])
def test_gradient(kind, heads, shape) -> None:
    """The gradient agrees with finite differences."""
    weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kind(c=0.5, heads=heads), (weight,))


@pytest.mark.parametrize("kind", [Frobenius, FrobeniusSoft])
def test_zero_matrix(kind) -> None:
    """A zero matrix stays zero, its gradient is finite, and its neighbour in the stack is normalised."""
    weight = torch.stack([torch.zeros(3, 4), torch.ones(3, 4)]).requires_grad_()
    out = kind(c=0.5)(weight)
    assert torch.equal(out[0], torch.zeros(3, 4))
    torch.testing.assert_close(torch.linalg.matrix_norm(out[1]), torch.tensor(0.5))
    out.sum().backward()
    assert weight.grad is not None and torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("kind", [Frobenius, FrobeniusSoft])
def test_heads(kind) -> None:
    """Option "each" gives every head norm c; "mean" keeps the heads' proportions and makes c their mean."""
    weight = 9 * torch.rand(3, 4, 5, 2, dtype=torch.float64)
    each = torch.linalg.matrix_norm(kind(c=0.5, heads="each")(weight))
    mean = torch.linalg.matrix_norm(kind(c=0.5, heads="mean")(weight))
    before = torch.linalg.matrix_norm(weight)
    torch.testing.assert_close(each, torch.full_like(each, 0.5))
    torch.testing.assert_close(mean, 0.5 * before / before.mean(dim=1, keepdim=True))


def test_one_by_one() -> None:
    """A stack with its own c for each matrix gives what single matrices give."""
    weight = torch.randn(3, 4, 2, dtype=torch.float64)
    stacked = Frobenius()
    stacked.c = torch.tensor([0.25, 0.5, 2.0]).view(3, 1, 1)
    singles = [Frobenius(c=c)(matrix) for c, matrix in zip((0.25, 0.5, 2.0), weight, strict=True)]
    torch.testing.assert_close(stacked(weight), torch.stack(singles))
