"""Norms of stacked matrices."""

import torch

from zoo.normalizers.norms import column_norm, divisor, frobenius_norm, trace


def test_norms_agree_with_linalg() -> None:
    """Both norms equal torch.linalg's, matrix by matrix and column by column."""
    weight = torch.randn(3, 2, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(frobenius_norm(weight)[..., 0, 0], torch.linalg.matrix_norm(weight))
    torch.testing.assert_close(column_norm(weight)[1, 1, 0, 2], torch.linalg.norm(weight[1, 1, :, 2]))


def test_trace_agrees_with_torch() -> None:
    """The trace of each matrix, with axes of length 1 in its place."""
    matrix = torch.randn(3, 2, 4, 4)
    assert trace(matrix).shape == (3, 2, 1, 1)
    torch.testing.assert_close(trace(matrix)[1, 0, 0, 0], torch.trace(matrix[1, 0]))


def test_divisor_replaces_only_zero() -> None:
    """Zero becomes one; every other norm, however small, is left as it is."""
    norm = torch.tensor([0.0, 1e-30, 2.0])
    assert divisor(norm).tolist() == [1.0, norm[1].item(), 2.0]
