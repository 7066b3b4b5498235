"""μ against its closed forms."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.probes.similarity import norm, similarity

SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 8), st.integers(0, 2**31 - 1))


def matrix(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randn(shape[0], shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(shape[2]))


@given(SHAPES)
def test_pythagoras(shape):
    """‖X‖² = μ(X)² + n‖γ‖²."""
    x = matrix(shape)
    mean = len(x) * x.mean(dim=0).square().sum()
    torch.testing.assert_close(norm(x) ** 2, similarity(x) ** 2 + mean, rtol=1e-12, atol=1e-12)


@given(SHAPES)
def test_triangle_inequality(shape):
    """μ(X + Y) ≤ μ(X) + μ(Y)."""
    x = matrix(shape)
    y = matrix((*shape[:2], shape[2] + 1))
    assert similarity(x + y) <= similarity(x) + similarity(y) + 1e-12


def test_zero_if_and_only_if_all_rows_are_equal():
    """Equal rows give exactly 0, one other row does not, and a tiny difference beside a large mean is still seen."""
    x = torch.full((5, 3), 1e4)
    assert similarity(x) == 0
    x[2, 1] += 1
    torch.testing.assert_close(similarity(x), torch.tensor(0.8).sqrt(), rtol=1e-3, atol=0)


def test_half_precision_is_reduced_in_float32():
    """A sum of squares that overflows float16 does not overflow here."""
    x = torch.tensor([[300.0], [-300.0]], dtype=torch.float16)
    assert similarity(x).dtype == torch.float32
    torch.testing.assert_close(similarity(x), torch.tensor(180000.0).sqrt())
