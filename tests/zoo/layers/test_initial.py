"""The block whose convolution reads X_0."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoo.dgl_backend import dgl
from zoo.layers.initial import EGNNConv, GCNIIConv, InitialBlock, SReLU

WIDTH = 4


def test_a_block_runs_its_parts_in_order(undirected: Any, features: Any):
    """Dropout → convolution with X_0 as it is → norms → activation."""
    x, first = features(WIDTH), features(WIDTH + 1)[:, :WIDTH]

    class Twice(nn.Module):
        def forward(self, graph: Any, x: Tensor) -> Tensor:
            """Double it."""
            return 2 * x

    conv = GCNIIConv(WIDTH, 3, alpha=0.3, theta=0.7).double()
    block = InitialBlock(conv, norms=[Twice(), Twice()], activation=nn.Tanh(), dropout=0.5)
    torch.manual_seed(3)
    got = block(undirected, x, first)
    torch.manual_seed(3)
    expected = torch.tanh(4 * conv(undirected, nn.functional.dropout(x, 0.5), first))
    torch.testing.assert_close(got, expected)


ALPHA, THETA, BLOCK = 0.3, 0.7, 3


@pytest.fixture
def tensors(features: Any) -> tuple[Tensor, Tensor]:
    """The input and X_0."""
    x = features(WIDTH)
    return x, features(WIDTH + 1).detach()[:, :WIDTH].clone().requires_grad_()


@pytest.mark.parametrize("variant", [False, True])
def test_it_is_pygs(undirected: Any, edge_index: Any, tensors: Any, compare_as_is: Any, pyg: Any, variant: bool):
    """GCN2Conv with the same weights gives the same result and gradients, of input and X_0 too; GCNII* as well."""
    x, first = tensors
    ours = GCNIIConv(WIDTH, BLOCK, alpha=ALPHA, theta=THETA, variant=variant).double()
    theirs = pyg.GCN2Conv(WIDTH, ALPHA, THETA, BLOCK, shared_weights=not variant, add_self_loops=False).double()
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    for mine, other in pairs:
        other.data.copy_(mine.data)
    compare_as_is(
        ours(undirected, x, first), theirs(x, first, edge_index(undirected)), [*pairs, (x, x), (first, first)]
    )


def test_it_is_dgls(undirected: Any, tensors: Any, compare_as_is: Any):
    """dgl.nn.GCN2Conv with the same weight gives the same result and gradients."""
    x, first = tensors
    ours = GCNIIConv(WIDTH, BLOCK, alpha=ALPHA, theta=THETA).double()
    theirs = dgl.nn.GCN2Conv(WIDTH, BLOCK, ALPHA, THETA, bias=False, allow_zero_in_degree=True).double()
    theirs.weight1.data.copy_(ours.weight.data)
    compare_as_is(ours(undirected, x, first), theirs(undirected.dgl, x, first), [(ours.weight, theirs.weight1), (x, x)])


def test_the_start_is_the_authors():
    """Uniform between ±1/√width: for 64 channels within 0.125, with a third of its square as variance."""
    weight = GCNIIConv(64, 1, alpha=0.1, theta=0.5).weight.detach()
    assert weight.abs().max() <= 0.125
    assert float(weight.var()) == pytest.approx(0.125**2 / 3, rel=0.1)
    assert GCNIIConv(4, 8, alpha=0.1, theta=0.5).beta == math.log(1 + 0.5 / 8)


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


def test_a_block_of_egnn_runs_its_parts_in_order(undirected: Any, features: Any, conv: EGNNConv):
    """Dropout → convolution with X_0 as it is → SReLU."""
    x, first = features(WIDTH), features(WIDTH + 1)[:, :WIDTH]
    block = InitialBlock(conv, activation=SReLU(WIDTH, shift=-0.5), dropout=0.5)
    torch.manual_seed(3)
    got = block(undirected, x, first)
    torch.manual_seed(3)
    expected = conv(undirected, nn.functional.dropout(x, 0.5), first).clamp(min=-0.5)
    torch.testing.assert_close(got, expected)
