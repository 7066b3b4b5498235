"""Rescaled matrices against what autograd makes of the formula, as one stack and a few at a time."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.engine.rescaling import divisor, frobenius_norm, into_ball, onto_sphere, rescale, rescaled
from zoo.normalizers import BoundedNormalizer
from zoo.normalizers.frobenius import Frobenius, FrobeniusSoft
from zoo.normalizers.spectral import Spectral

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


def test_norms_agree_with_linalg():
    """Frobenius' norm of each matrix; as a divisor zero becomes one, and every other one is left as it is."""
    weight = torch.randn(3, 2, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(frobenius_norm(weight)[..., 0, 0], torch.linalg.matrix_norm(weight))
    norm = torch.tensor([0.0, 1e-30, 2.0])
    assert divisor(norm).tolist() == [1.0, norm[1].item(), 2.0]


KINDS = {
    "frobenius": Frobenius,
    "frobenius-soft": FrobeniusSoft,
    "gram": partial(Spectral, iterations=4),
    "gram, soft": partial(Spectral, soft=True),
}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matrices of 4×3 in float64, or four in float32, to a part."""
    monkeypatch.setattr("zoo.engine.rescaling._ON_CPU", 2 * 4 * 3 * 8)


def normalizer_of(kind: str, many: int, *, heads: bool = False) -> BoundedNormalizer:
    """With another c for each matrix, between 0.5 and 2."""
    normalizer: BoundedNormalizer = KINDS[kind]()
    normalizer.c = torch.linspace(0.5, 2, many, dtype=torch.float64).view(many, 1, 1, *[1] * heads)
    return normalizer


def several(*shape: int, many: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Of all sizes, a zero one among them."""
    found = [10.0**index / 100 * torch.randn(shape, dtype=dtype) for index in range(many)]
    found[1].zero_()
    return [matrix.requires_grad_() for matrix in found]


def apart(normalizer: BoundedNormalizer, weights: list[Tensor]) -> list[Tensor]:
    """What is tested."""
    return rescale(weights, lambda rows: normalizer.rescaling(rows) or pytest.fail("does not rescale"))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4, 3)], ids=["tall", "wide", "heads"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_stack(kind, shape):
    """Whatever the part that a matrix is in, each gets its own c, and a zero one its finite gradient."""
    weights = several(*shape)
    normalizer = normalizer_of(kind, len(weights), heads=len(shape) > 2)
    onto = [torch.randn(shape, dtype=torch.float64) for _ in weights]
    found, expected = apart(normalizer, weights), normalizer(torch.stack(weights)).unbind()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    gradients = [torch.autograd.grad(results, weights, onto) for results in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", ["frobenius", "frobenius-soft"])
def test_gradients_of_gradients_in_parts_agree_with_finite_differences(kind):
    """By the matrices, some of them in one part and some in another, and by the gradients that come in."""
    weights = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    normalizer = normalizer_of(kind, 3)
    assert torch.autograd.gradgradcheck(lambda *given: tuple(apart(normalizer, list(given))), tuple(weights))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_the_same_with_and_without_gradients(kind):
    """An evaluation gives to the bit what a training pass gives, so that the one may stand for the other."""
    weights = several(8, 8, dtype=torch.float32)
    normalizer = normalizer_of(kind, len(weights)).float()
    with torch.no_grad():
        expected = apart(normalizer, weights)
    for one, other in zip(apart(normalizer, weights), expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_small_and_large_matrices_in_parts_keep_their_gradient(kind, scale):
    """In float32 nothing leaves the range of floats, although W is recovered from s·W."""
    weights, onto = [torch.randn(8, 8) for _ in range(3)], [torch.randn(8, 8) for _ in range(3)]
    gradients = []
    for dtype, size in ((torch.float64, 1.0), (torch.float32, scale)):
        normalizer = normalizer_of(kind, 3).to(dtype)
        normalizer.c *= 1.0 if "soft" not in kind else size  # the ball is as large as the matrices
        given = [(weight.to(dtype) * size).requires_grad_() for weight in weights]
        found = torch.autograd.grad(apart(normalizer, given), given, [each.to(dtype) for each in onto])
        gradients.append([each.double() * (1.0 if "soft" in kind else size) for each in found])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("small_parts")
def test_no_copy_of_the_matrices_is_kept():
    """What a part saves for its backward pass lies where its results or the parameters lie, but for a few numbers."""
    weights, saved = [torch.randn(8, 8, requires_grad=True) for _ in range(4)], []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        found = apart(normalizer_of("frobenius", 4).float(), weights)
    known = {tensor.untyped_storage().data_ptr() for tensor in (*found, *weights)}
    others = [tensor for tensor in saved if tensor.untyped_storage().data_ptr() not in known]
    assert saved and all(tensor.untyped_storage().nbytes() <= 4 * 4 for tensor in others)


@pytest.mark.usefixtures("small_parts")
def test_a_part_runs_backwards_as_soon_as_its_gradients_are_there():
    """The last matrices' gradients are done before the backward pass reaches the first blocks."""
    weights, order = [torch.randn(4, 4, requires_grad=True) for _ in range(8)], []
    x: Any = torch.randn(5, 4, requires_grad=True)
    x.register_hook(lambda gradient: order.append("input"))
    for index, weight in enumerate(weights):
        weight.register_hook(lambda gradient, index=index: order.append(index))
    for index, matrix in enumerate(apart(normalizer_of("frobenius", 8).float(), weights)):
        x = (x @ matrix).relu()
        x.register_hook(lambda gradient, index=index: order.append(f"output {index}"))
    x.sum().backward()
    for last in (7, 5, 3):  # in float32 three matrices of 4×4 are a part: 0 to 2, 3 to 5, 6 and 7
        assert order.index(last) < order.index(f"output {last // 3 * 3 - 2}")


@pytest.mark.usefixtures("small_parts")
def test_a_changed_parameter_is_noticed():
    """One that was overwritten since has no gradient of a gradient, nor any: an error, and no wrong number."""
    weights = [torch.randn(4, 3, requires_grad=True) for _ in range(2)]
    found = apart(normalizer_of("frobenius", 2).float(), weights)
    with torch.no_grad():
        weights[0].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.stack(found).sum().backward()
