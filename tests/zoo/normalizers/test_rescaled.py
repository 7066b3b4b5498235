"""Rescaled matrices against what autograd makes of the formula."""

import pytest
import torch
from torch import Tensor

from zoo.normalizers.rescaled import into_ball, onto_sphere, rescaled

C = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64).view(3, 1, 1)


def sphere(weight: Tensor, norm: Tensor) -> Tensor:
    """The formula of the factor onto the sphere."""
    return weight * (C / norm)


def ball(weight: Tensor, norm: Tensor) -> Tensor:
    """The formula of the factor into the ball."""
    return weight / (norm / C).clamp_min(1)


FACTORS = pytest.mark.parametrize(("factor", "formula"), [(onto_sphere, sphere), (into_ball, ball)])


def matrices() -> Tensor:
    """Inside, near and outside the balls of radius C."""
    scales = torch.tensor([0.05, 0.4, 3.0], dtype=torch.float64).view(3, 1, 1)
    return (scales * torch.randn(3, 4, 2, dtype=torch.float64)).requires_grad_()


@FACTORS
@pytest.mark.parametrize("of", ["frobenius", "direction"])
def test_value_and_gradient_are_those_of_the_formula(factor, formula, of):
    """By the Frobenius norm, and by a norm that is told by its gradient, held fixed."""
    weight, onto = matrices(), torch.randn(3, 4, 2, dtype=torch.float64)
    direction = None if of == "frobenius" else torch.randn(3, 4, 2, dtype=torch.float64)
    if direction is None:
        norm = weight.square().sum(dim=(-2, -1), keepdim=True).sqrt()
    else:
        direction *= (direction * weight.detach()).sum(dim=(-2, -1), keepdim=True).sign()  # a norm is positive
        norm = (direction * weight).sum(dim=(-2, -1), keepdim=True)
    expected, found = formula(weight, norm), rescaled(weight, factor(C), direction)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(result, weight, onto)[0] for result in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1])


@FACTORS
def test_gradients_of_gradients_agree_with_finite_differences(factor, formula):
    """Of the Frobenius norm, by the matrix and by the gradient that comes in."""
    assert torch.autograd.gradgradcheck(lambda weight: rescaled(weight, factor(C)), (matrices(),))


@FACTORS
@pytest.mark.parametrize("of", ["frobenius", "direction"])
def test_several_networks_at_once(factor, formula, of):
    """Under `torch.vmap` each row, and the gradient of each, is what it is by itself."""
    weights = torch.stack([matrices().detach() for _ in range(2)]).requires_grad_()
    direction = torch.rand(2, 3, 4, 2, dtype=torch.float64) if of == "direction" else None

    def run(weight: Tensor, direction: Tensor | None = None) -> Tensor:
        return rescaled(weight, factor(C), direction)

    inputs = (weights,) if direction is None else (weights, direction)
    together = torch.vmap(run)(*inputs)
    alone = torch.stack([run(*row) for row in zip(*inputs, strict=True)])
    torch.testing.assert_close(together, alone)
    gradients = [torch.autograd.grad(result.square().sum(), weights)[0] for result in (together, alone)]
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_small_and_large_matrices_keep_their_gradient(scale):
    """In float32 neither norm nor factor leaves the range of floats on the way back."""
    weight, onto = torch.randn(2, 8, 8), torch.randn(2, 8, 8)
    gradients = []
    for tensor, size in ((weight.double(), 1.0), (weight * scale, scale)):
        tensor.requires_grad_()
        result = rescaled(tensor, onto_sphere(torch.ones(2, 1, 1).to(tensor)))
        gradients.append(torch.autograd.grad(result, tensor, onto.to(tensor))[0].double() * size)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)


def test_same_numbers_with_and_without_gradients():
    """An evaluation gives to the bit what a training pass gives."""
    weight = matrices().detach().float().requires_grad_()
    with torch.no_grad():
        expected = rescaled(weight, onto_sphere(C.float()))
    assert torch.equal(rescaled(weight, onto_sphere(C.float())), expected)
