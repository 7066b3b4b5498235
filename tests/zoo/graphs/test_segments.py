"""Reductions over the graphs of a batch, against loops over them and PyTorch Geometric, in float64."""

import pytest
import torch

from zoo.graphs.segments import graph_ids, segment_max, segment_mean, segment_softmax, segment_sum

SIZES = torch.tensor([3, 0, 1, 4, 0])
IDS = graph_ids(SIZES)


@pytest.fixture
def x() -> torch.Tensor:
    """Features of eight nodes, all negative, so that a filling of 0 would show in a maximum."""
    return -torch.rand(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.1


def test_graph_ids_are_repeated_numbers():
    """Graphs without nodes are left out."""
    assert IDS.tolist() == [0, 0, 0, 2, 3, 3, 3, 3]


@pytest.mark.parametrize("kind", ["sum", "mean", "max"])
def test_each_graph_by_itself(x, kind):
    """Of any trailing shape; a graph without nodes gives 0."""
    reduce = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}[kind]
    ours = {
        "sum": lambda y: segment_sum(y, IDS, 5),
        "mean": lambda y: segment_mean(y, IDS, SIZES),
        "max": lambda y: segment_max(y, IDS, SIZES),
    }[kind]
    for y in (x, x[:, 0], x[:, :, None].expand(8, 3, 2)):
        parts = [reduce(part, dim=0) if len(part) else torch.zeros_like(y[0]) for part in y.split(SIZES.tolist())]
        torch.testing.assert_close(ours(y), torch.stack(parts), rtol=0, atol=1e-14)
    assert torch.autograd.gradcheck(ours, (x.requires_grad_(),))
    assert torch.autograd.gradgradcheck(ours, (x,))


@pytest.mark.parametrize("value", [0.0, -2.0, 3.0])
def test_equal_largest_values_share_the_gradient(value):
    """Three equal nodes get a third each, also where the largest value is 0, as it often is after a ReLU."""
    x = torch.full((8, 1), value, requires_grad=True)
    segment_max(x, IDS, SIZES).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad[:, 0], torch.tensor([1 / 3] * 3 + [1.0] + [0.25] * 4))


def test_softmax_is_that_of_each_graph(x):
    """It adds up to 1 in each graph, also of scores that overflow without their largest taken away."""
    parts = [part.softmax(dim=0) for part in x.split(SIZES.tolist())]
    torch.testing.assert_close(segment_softmax(x, IDS, SIZES), torch.cat(parts), rtol=0, atol=1e-14)
    shifted = segment_softmax(x + 5000 * (IDS[:, None] - 1.5), IDS, SIZES)
    torch.testing.assert_close(shifted, torch.cat(parts), rtol=0, atol=1e-11)
    of_scores = lambda scores: segment_softmax(scores, IDS, SIZES)  # noqa: E731
    assert torch.autograd.gradcheck(of_scores, (x.requires_grad_(),))
    assert torch.autograd.gradgradcheck(of_scores, (x,))


def test_half_precision_is_summed_in_float32():
    """A sum of 4,096 ones in bfloat16 is 4,096, and not the 256 at which adding one changes nothing."""
    ones, sizes = torch.ones(4096, 1, dtype=torch.bfloat16), torch.tensor([4096])
    ids = graph_ids(sizes)
    assert segment_sum(ones, ids, 1).item() == 4096
    assert segment_mean(ones, ids, sizes).item() == 1
    for result in (segment_sum(ones, ids, 1), segment_max(ones, ids, sizes), segment_softmax(ones, ids, sizes)):
        assert result.dtype == torch.bfloat16
