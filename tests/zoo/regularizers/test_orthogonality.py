"""The penalty against its formula, and in the loss."""

from typing import Any

import pytest
import torch

import zoo
from zoo.regularizers.orthogonality import Orthogonality
from zoo.training.steps import first_loss


class Holder:
    def __init__(self, **matrices: torch.Tensor) -> None:
        self.matrices = matrices

    def block_matrices(self) -> dict[str, torch.Tensor]:
        return self.matrices


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_it_is_the_distance_of_singular_values(scale):
    """‖WᵀW/s − I‖_F² is Σ (σ²/s − 1)² over the singular values, for tall, wide and multi-head matrices."""
    make = torch.Generator().manual_seed(0)
    shapes = {"tall": (6, 4), "wide": (3, 5), "heads": (2, 6, 3)}
    matrices = {n: torch.randn(*s, dtype=torch.float64, generator=make).requires_grad_() for n, s in shapes.items()}
    values = [torch.linalg.svdvals(matrix) for matrix in matrices.values()]
    expected: Any = 0.1 * sum((value.square() / scale - 1).square().sum() for value in values)
    penalty: Any = Orthogonality(weight=0.1, scale=scale).penalty(Holder(**matrices))
    torch.testing.assert_close(penalty, expected)
    got = torch.autograd.grad(penalty, list(matrices.values()))
    for mine, other in zip(got, torch.autograd.grad(expected, list(matrices.values())), strict=True):
        torch.testing.assert_close(mine, other)


def test_an_orthogonal_matrix_costs_nothing():
    """The minimum is at √s times an orthogonal matrix."""
    q, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))
    penalty: Any = Orthogonality(weight=1.0, scale=4.0).penalty(Holder(q=2 * q))
    assert float(penalty) < 1e-24


def test_a_network_without_matrices_has_no_penalty():
    """There is nothing to penalise."""
    assert Orthogonality().penalty(Holder()) is None


def test_it_is_part_of_the_training_loss():
    """The loss with it is the loss without, plus the penalty; evaluation has no loss."""
    plain = zoo.build("smoke/res-gcn")
    built = zoo.build("smoke/res-gcn", {"regularizer": {"name": "orthogonality", "weight": 0.01}})
    penalty: Any = built.network.penalty()
    assert penalty > 0
    loss = first_loss(plain.network, plain.task) + penalty
    torch.testing.assert_close(first_loss(built.network, built.task), loss)
