"""Linear and its initialisation."""

from typing import Any

import pytest
import torch

from zoo.dgl_backend import dgl
from zoo.engine.sparse_input import mark_sparse
from zoo.layers.linear import Linear, MLPConv, Propagation, glorot


def test_glorot_has_the_variance_of_the_paper():
    """Glorot's weights are uniform with variance 2 / (in + out), per matrix of a stack."""
    torch.manual_seed(0)
    weight = glorot(3, 300, 500)
    assert weight.var().item() == pytest.approx(2 / 800, rel=0.02)
    assert 0.99 * (6 / 800) ** 0.5 < weight.abs().max().item() <= (6 / 800) ** 0.5


def test_linear_is_the_product():
    """The map is x W + b, with a zero bias at first."""
    linear, x = Linear(4, 3), torch.randn(5, 4)
    assert torch.allclose(linear(x), x @ linear.weight) and torch.equal(linear.bias, torch.zeros(3))  # type: ignore[arg-type]
    assert Linear(4, 3, bias=False).bias is None


@pytest.mark.parametrize("bias", [True, False])
def test_linear_of_sparse_features_is_the_product(bias):
    """Features whose zeros are passed by give the same map and the same gradients."""
    x = torch.zeros(600, 500)
    x.view(-1)[::97] = torch.randn(3093)
    linear, dense = Linear(500, 4, bias=bias), x.clone()
    assert mark_sparse(x)
    for found, wanted in zip(*(_and_gradients(linear, rows) for rows in (x, dense)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def _and_gradients(linear: Linear, x: torch.Tensor) -> list[torch.Tensor]:
    y = linear(x)
    return [y, *torch.autograd.grad(y.square().sum(), list(linear.parameters()))]


def test_is_a_linear_map_of_each_node(graph: Any, features: Any, compare: Any, copy_into: Any):
    """Forward and all gradients equal torch.nn.Linear."""
    ours, theirs = MLPConv(4, 3).double(), torch.nn.Linear(4, 3).double()
    pairs = [(ours.linear.weight, theirs.weight), (ours.linear.bias, theirs.bias)]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(x), [(x, x), *pairs])


@pytest.mark.parametrize("norm", ["both", "right"])
def test_a_step_is_dgls_graph_convolution_without_weights(graph: Any, features: Any, compare: Any, norm: Any):
    """Â X equals dgl.nn.GraphConv(weight=False), on a directed graph with isolated nodes, with its gradient."""
    x = features(4)
    theirs = dgl.nn.GraphConv(4, 4, norm=norm, weight=False, bias=False, allow_zero_in_degree=True)
    ours = Propagation(4, norm=norm)
    compare(ours(graph, x), theirs(graph.dgl, x), [(x, x)])
    assert ours.propagation == norm and not list(ours.parameters())
