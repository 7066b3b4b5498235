"""Semi-orthogonal weights against the polar factor and finite differences."""

import pytest
import torch

from zoo.normalizers.orthogonal import Orthogonal


def gram(weight: torch.Tensor) -> torch.Tensor:
    """WᵀW or WWᵀ, whichever is smaller."""
    return weight.mT @ weight if weight.shape[-2] >= weight.shape[-1] else weight @ weight.mT


@pytest.mark.parametrize("method", ["bjorck", "qr"])
@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (2, 3, 5, 4)])
def test_semi_orthogonal(method, shape) -> None:
    """The smaller Gram matrix is c²·I, for square, tall, wide and stacked weights."""
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    product = gram(Orthogonal(c=0.5, method=method, iterations=40)(weight))
    torch.testing.assert_close(product, 0.25 * torch.eye(product.shape[-1], dtype=torch.float64).expand_as(product))


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 5, 4)])
def test_bjorck_is_the_polar_factor(shape) -> None:
    """Method "bjorck" gives UVᵀ of W = UΣVᵀ: the nearest semi-orthogonal matrix."""
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(weight, full_matrices=False)
    torch.testing.assert_close(Orthogonal(iterations=40)(weight), u @ vh, rtol=0, atol=1e-10)


def test_qr_has_a_positive_diagonal() -> None:
    """Method "qr" gives W = QR with positive diagonal, so an orthogonal W is left as it is."""
    weight = torch.randn(5, 7, 4, dtype=torch.float64)
    q = Orthogonal(method="qr")(weight)
    assert ((q.mT @ weight).diagonal(dim1=-2, dim2=-1) > 0).all()
    torch.testing.assert_close(Orthogonal(method="qr")(q), q)


@pytest.mark.parametrize(("iterations", "condition"), [(20, 790), (25, 6400), (30, 52000)])
def test_iterations_at_width_64(iterations, condition) -> None:
    """In float32 QᵀQ is I to 1e-3 for the condition numbers that the docstring names, and to 1e-5 for most."""
    weight = torch.randn(128, 64, 64, generator=torch.Generator().manual_seed(0)) / 8
    error = (gram(Orthogonal(iterations=iterations)(weight)) - torch.eye(64)).abs().amax(dim=(-2, -1))
    values = torch.linalg.svdvals(weight.double())
    covered = values[:, 0] / values[:, -1] < condition
    assert covered.float().mean() > 0.75
    assert error[covered].max() < 1e-3
    assert error.median() < 1e-5


@pytest.mark.parametrize("iterations", [1, 5])
def test_too_few_iterations_keep_the_bound(iterations) -> None:
    """However early the iteration stops, ‖W‖_2 is at most c."""
    weight = 100 * torch.randn(8, 16, 16)
    assert torch.linalg.matrix_norm(Orthogonal(c=0.5, iterations=iterations)(weight), ord=2).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("mode", ["reparametrize", "project"])
@pytest.mark.parametrize("method", ["bjorck", "qr"])
def test_bound_after_training(method, mode, adam_steps) -> None:
    """After 100 Adam steps ‖W‖_2 is c in both modes."""
    weight = adam_steps(Orthogonal(c=0.5, method=method, mode=mode, iterations=15))
    torch.testing.assert_close(torch.linalg.matrix_norm(weight, ord=2), torch.full((4,), 0.5))


@pytest.mark.parametrize("method", ["bjorck", "qr"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (3, 4)])
def test_gradient(method, shape) -> None:
    """The gradient agrees with finite differences."""
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(Orthogonal(c=0.5, method=method), (weight,), atol=1e-4)


def test_zero_matrix() -> None:
    """Method "bjorck" leaves a zero matrix at zero, with a finite gradient; its neighbour is made orthogonal."""
    weight = torch.stack([torch.zeros(4, 3), torch.eye(4, 3)]).requires_grad_()
    out = Orthogonal()(weight)
    assert torch.equal(out[0], torch.zeros(4, 3))
    torch.testing.assert_close(out[1], torch.eye(4, 3))
    out.sum().backward()
    assert weight.grad is not None and torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("method", ["bjorck", "qr"])
def test_one_by_one(method) -> None:
    """A stack gives what single matrices give."""
    weight = torch.randn(3, 5, 4, dtype=torch.float64)
    normalizer = Orthogonal(method=method)
    torch.testing.assert_close(normalizer(weight), torch.stack([normalizer(matrix) for matrix in weight]))
