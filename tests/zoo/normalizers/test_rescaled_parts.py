"""Matrices rescaled a few at a time against the same matrices rescaled as one stack."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.normalizers import BoundedNormalizer, rescaled_parts
from zoo.normalizers.frobenius import Frobenius, FrobeniusSoft
from zoo.normalizers.rescaled_parts import rescaled_in_parts
from zoo.normalizers.spectral import Spectral

KINDS = {
    "frobenius": Frobenius,
    "frobenius-soft": FrobeniusSoft,
    "gram": partial(Spectral, iterations=4),
    "gram, soft": partial(Spectral, soft=True),
}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matrices of 4×3 in float64, or four in float32, to a part."""
    monkeypatch.setattr(rescaled_parts, "_ON_CPU", 2 * 4 * 3 * 8)


def normalizer_of(kind: str, many: int, *, heads: bool = False) -> BoundedNormalizer:
    """With another c for each matrix, between 0.5 and 2."""
    normalizer: BoundedNormalizer = KINDS[kind]()
    normalizer.c = torch.linspace(0.5, 2, many, dtype=torch.float64).view(many, 1, 1, *[1] * heads)
    return normalizer


def matrices(*shape: int, many: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Of all sizes, a zero one among them."""
    found = [10.0**index / 100 * torch.randn(shape, dtype=dtype) for index in range(many)]
    found[1].zero_()
    return [matrix.requires_grad_() for matrix in found]


def apart(normalizer: BoundedNormalizer, weights: list[Tensor]) -> list[Tensor]:
    """What is tested."""
    return rescaled_in_parts(weights, lambda rows: normalizer.rescaling(rows) or pytest.fail("does not rescale"))


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 4, 3)], ids=["tall", "wide", "heads"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_stack(kind, shape):
    """Whatever the part that a matrix is in, each gets its own c, and a zero one its finite gradient."""
    weights = matrices(*shape)
    normalizer = normalizer_of(kind, len(weights), heads=len(shape) > 2)
    onto = [torch.randn(shape, dtype=torch.float64) for _ in weights]
    found, expected = apart(normalizer, weights), normalizer(torch.stack(weights)).unbind()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    gradients = [torch.autograd.grad(results, weights, onto) for results in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", ["frobenius", "frobenius-soft"])
def test_gradients_of_gradients_agree_with_finite_differences(kind):
    """By the matrices, some of them in one part and some in another, and by the gradients that come in."""
    weights = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    normalizer = normalizer_of(kind, 3)
    assert torch.autograd.gradgradcheck(lambda *given: tuple(apart(normalizer, list(given))), tuple(weights))


@pytest.mark.parametrize("kind", KINDS)
def test_same_numbers_with_and_without_gradients(kind):
    """An evaluation gives to the bit what a training pass gives, so that the one may stand for the other."""
    weights = matrices(8, 8, dtype=torch.float32)
    normalizer = normalizer_of(kind, len(weights)).float()
    with torch.no_grad():
        expected = apart(normalizer, weights)
    for one, other in zip(apart(normalizer, weights), expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_small_and_large_matrices_keep_their_gradient(kind, scale):
    """In float32 nothing leaves the range of floats, although W is had back from s·W."""
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


def test_no_copy_of_the_matrices_is_kept():
    """What a part saves for its backward pass lies where its results or the parameters lie, but for a few numbers."""
    weights, saved = [torch.randn(8, 8, requires_grad=True) for _ in range(4)], []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        found = apart(normalizer_of("frobenius", 4).float(), weights)
    known = {tensor.untyped_storage().data_ptr() for tensor in (*found, *weights)}
    others = [tensor for tensor in saved if tensor.untyped_storage().data_ptr() not in known]
    assert saved and all(tensor.untyped_storage().nbytes() <= 4 * 4 for tensor in others)


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


def test_a_changed_parameter_is_noticed():
    """One that was overwritten since has no gradient of a gradient, nor any: an error, and no wrong number."""
    weights = [torch.randn(4, 3, requires_grad=True) for _ in range(2)]
    found = apart(normalizer_of("frobenius", 2).float(), weights)
    with torch.no_grad():
        weights[0].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.stack(found).sum().backward()
