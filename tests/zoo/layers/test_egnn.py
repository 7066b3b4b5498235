"""The convolution, activation and penalty of EGNN in closed form."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from zoo.dgl_backend import dgl
from zoo.layers.egnn import EGNNConv, SReLU
from zoo.layers.initial_block import InitialBlock

WIDTH = 4


@pytest.fixture
def conv() -> EGNNConv:
    """One with a matrix away from its start."""
    made = EGNNConv(WIDTH, c_min=0.3, c_max=1.2, beta=0.1, penalty_weight=20.0).double()
    nn.init.normal_(made.weight)
    return made


def test_the_convolution_is_its_formula(undirected: Any, features: Any, compare_as_is: Any, conv: EGNNConv):
    """(0.7 Â X + 0.2 X + 0.1 X_0) W, Â by dgl.nn.GraphConv, with all gradients."""
    x, first = features(WIDTH), features(WIDTH + 1)[:, :WIDTH]
    spread = dgl.nn.GraphConv(WIDTH, WIDTH, weight=False, bias=False, allow_zero_in_degree=True)(undirected.dgl, x)
    weight = conv.weight.detach().clone().requires_grad_()
    expected = (0.7 * spread + 0.2 * x + 0.1 * first) @ weight
    compare_as_is(conv(undirected, x, first), expected, [(conv.weight, weight), (x, x)])


def test_srelu_is_the_larger_of_x_and_its_shift():
    """Values and gradients are those of a maximum, channel by channel; far below 0 it is the identity."""
    x = torch.randn(50, WIDTH, dtype=torch.float64, requires_grad=True)
    srelu = SReLU(WIDTH, shift=0.0).double()
    srelu.shift.data = torch.tensor([-10.0, -1.0, 0.0, 0.5], dtype=torch.float64)
    shift = srelu.shift.detach().clone().requires_grad_()
    got, expected = srelu(x), torch.maximum(x, shift)
    torch.testing.assert_close(got, expected)
    for mine, other in zip(
        torch.autograd.grad(got.sum(), [x, srelu.shift]), torch.autograd.grad(expected.sum(), [x, shift]), strict=True
    ):
        torch.testing.assert_close(mine, other)
    torch.testing.assert_close(SReLU(WIDTH, shift=-10.0)(x.detach().float()), x.detach().float())


def test_the_penalty_is_the_distance_from_the_start(conv: EGNNConv):
    """20·‖W − √c_max·I‖_F by numpy, and its gradient, 20·(W − √c_max·I)/‖·‖; nothing at the start."""
    away = conv.weight.detach().numpy() - math.sqrt(1.2) * np.eye(WIDTH)
    penalty = conv.penalty()
    assert penalty.shape == () and float(penalty.detach()) == pytest.approx(20 * np.linalg.norm(away), rel=1e-12)
    (gradient,) = torch.autograd.grad(penalty, conv.weight)
    np.testing.assert_allclose(gradient.numpy(), 20 * away / np.linalg.norm(away), rtol=1e-10)

    fresh = EGNNConv(WIDTH, c_min=0.3, c_max=1.2, beta=0.1, penalty_weight=20.0)
    (gradient,) = torch.autograd.grad(fresh.penalty(), fresh.weight)
    assert float(fresh.penalty().detach()) == 0 and torch.equal(gradient, torch.zeros_like(gradient))


def test_a_block_runs_its_parts_in_order(undirected: Any, features: Any, conv: EGNNConv):
    """Dropout → convolution with X_0 as it is → SReLU."""
    x, first = features(WIDTH), features(WIDTH + 1)[:, :WIDTH]
    block = InitialBlock(conv, activation=SReLU(WIDTH, shift=-0.5), dropout=0.5)
    torch.manual_seed(3)
    got = block(undirected, x, first)
    torch.manual_seed(3)
    expected = conv(undirected, nn.functional.dropout(x, 0.5), first).clamp(min=-0.5)
    torch.testing.assert_close(got, expected)
