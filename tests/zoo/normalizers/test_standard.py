"""Feature normalisations against PyTorch Geometric, in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.nn import norm as pyg

from zoo.errors import BuildError
from zoo.normalizers.standard import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RowBatchNorm


@pytest.fixture
def x() -> torch.Tensor:
    """Features of 20 nodes whose 8 channels differ in their mean."""
    return 3 * torch.randn(20, 8, dtype=torch.float64) + torch.arange(8)


def assert_equal(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to 1e-10."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)


def with_random_affine(module: torch.nn.Module) -> Any:
    """Move γ and β off 1 and 0, where a mistake would not show."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double()


@pytest.mark.parametrize("affine", [True, False])
def test_layer(x, affine) -> None:
    """LayerNorm equals PyG's in node mode."""
    ours = with_random_affine(LayerNorm(8, affine=affine, eps=1e-3))
    oracle = pyg.LayerNorm(8, eps=1e-3, affine=affine, mode="node").double()
    oracle.load_state_dict(ours.norm.state_dict())
    assert_equal(ours(None, x), oracle(x))


@pytest.mark.parametrize("affine", [True, False])
def test_batch(x, affine) -> None:
    """BatchNorm equals PyG's in training and, after it, in eval, with the same running statistics."""
    ours = with_random_affine(BatchNorm(8, affine=affine, eps=1e-3, momentum=0.3))
    oracle = pyg.BatchNorm(8, eps=1e-3, momentum=0.3, affine=affine).double()
    oracle.module.load_state_dict(ours.norm.state_dict())
    assert_equal(ours(None, x), oracle(x))
    assert_equal(ours.eval()(None, 2 * x), oracle.eval()(2 * x))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_instance(x, affine, training) -> None:
    """InstanceNorm equals PyG's over one graph, in training and in eval."""
    ours = with_random_affine(InstanceNorm(8, affine=affine, eps=1e-3)).train(training)
    oracle = pyg.InstanceNorm(8, eps=1e-3, affine=affine).double().train(training)
    oracle.load_state_dict(ours.norm.state_dict())
    assert_equal(ours(None, x), oracle(x))


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_group(x, groups) -> None:
    """GroupNorm standardises each node's groups of neighbouring channels, as numpy does it."""
    values = x.numpy().reshape(20, groups, 8 // groups)
    centred = values - values.mean(axis=2, keepdims=True)
    expected = (centred / np.sqrt(values.var(axis=2, keepdims=True) + 1e-3)).reshape(20, 8)
    assert_equal(GroupNorm(8, groups=groups, affine=False, eps=1e-3)(None, x), torch.from_numpy(expected))


def test_group_has_to_divide_the_width() -> None:
    """Groups that do not divide the width are an error that names the nearest count that does."""
    with pytest.raises(BuildError, match=r"8 groups do not divide a width of 12 .* groups: 6"):
        GroupNorm(12)


@pytest.mark.parametrize("kind", [LayerNorm, BatchNorm, GroupNorm, InstanceNorm])
def test_gradient(kind, x) -> None:
    """The gradient agrees with finite differences."""
    module = with_random_affine(kind(8))
    assert torch.autograd.gradcheck(lambda features: module(None, features), (x[:5].requires_grad_(),))


@pytest.mark.parametrize("kind", [LayerNorm, BatchNorm, GroupNorm, InstanceNorm])
def test_one_node_gives_finite_features(kind, x) -> None:
    """Features and gradients of a graph of one node are finite, whatever there is to take statistics of."""
    one = x[:1].requires_grad_()
    found = with_random_affine(kind(8))(None, one)
    found.square().sum().backward()
    assert found.isfinite().all() and one.grad.isfinite().all()


@pytest.mark.parametrize("affine", [True, False])
def test_one_row_is_normalised_by_what_was_seen(affine):
    """A single row is normalised in training as in eval, moves no running statistic, and has a gradient."""
    norm = RowBatchNorm(8, affine=affine)
    norm(3 * torch.randn(20, 8) + 1)
    before = [buffer.clone() for buffer in norm.buffers()]
    row = torch.randn(1, 8, requires_grad=True)
    found = norm(row)
    found.square().sum().backward()
    assert all(map(torch.equal, before, norm.buffers()))
    assert norm.running_mean is not None and norm.running_var is not None
    torch.testing.assert_close(found, (row - norm.running_mean) / (norm.running_var + norm.eps).sqrt())
    assert torch.equal(found, norm.eval()(row))
    assert row.grad is not None and row.grad.isfinite().all()


def test_several_rows_are_as_in_pytorch():
    """Of two rows and more, values and running statistics are those of PyTorch's class, to the last bit."""
    ours, theirs = RowBatchNorm(8), torch.nn.BatchNorm1d(8)
    for rows in (2, 7):
        x = torch.randn(rows, 8)
        assert torch.equal(ours(x), theirs(x))
    assert all(map(torch.equal, ours.buffers(), theirs.buffers()))
