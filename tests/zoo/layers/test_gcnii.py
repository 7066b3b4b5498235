"""The convolution of GCNII against PyG's and DGL's."""

import math
from typing import Any

import pytest
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.layers.gcnii import GCNIIConv

WIDTH, ALPHA, THETA, BLOCK = 4, 0.3, 0.7, 3


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
