"""Poolings against PyTorch Geometric, in float64, with a graph without nodes in the batch."""

import pytest
import torch

from zoo.graphs import Graph
from zoo.layers.pooling import AttentionPooling, MaxPooling, MeanPooling, SumPooling

SIZES = torch.tensor([3, 0, 1, 5])
NONE = torch.zeros(0, dtype=torch.int64)


@pytest.fixture
def batch() -> Graph:
    """Four graphs, one without nodes."""
    return Graph.from_edges(NONE, NONE, 9, sizes=SIZES)


@pytest.fixture
def x() -> torch.Tensor:
    """Float64 features of their nodes."""
    return torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [(SumPooling, "global_add_pool"), (MeanPooling, "global_mean_pool"), (MaxPooling, "global_max_pool")],
)
def test_equals_pyg(batch, x, pyg, compare, kind, theirs):
    """Values and gradients; the graph without nodes gives 0."""
    ours = kind(4)(batch, x)
    compare(ours, getattr(pyg, theirs)(x, batch.graph_ids, size=4), [(x, x)])
    assert ours[1].tolist() == [0] * 4


def test_attention_equals_pyg(batch, x, pyg, compare):
    """PyG's AttentionalAggregation with a linear gate, values and gradients, those of the learned vector too."""
    pool = AttentionPooling(4).double()
    gate = torch.nn.Linear(4, 1, bias=False).double()
    gate.weight.data.copy_(pool.score.weight.data.T)
    oracle = pyg.aggr.AttentionalAggregation(gate)(x, batch.graph_ids, dim_size=4)
    compare(pool(batch, x), oracle, [(x, x), (pool.score.weight, gate.weight)])


@pytest.mark.parametrize("kind", [SumPooling, MeanPooling, MaxPooling, AttentionPooling])
def test_one_graph_is_a_batch_of_one(x, kind):
    """Without sizes the whole graph becomes one row, and so it does with the sizes of one graph."""
    pool = kind(4).double()
    alone = pool(Graph.from_edges(NONE, NONE, 9), x)
    assert alone.shape == (1, 4)
    torch.testing.assert_close(alone, pool(Graph.from_edges(NONE, NONE, 9, sizes=torch.tensor([9])), x))


@pytest.mark.parametrize("kind", [MaxPooling, AttentionPooling])
def test_gradient(batch, x, kind):
    """The gradient agrees with finite differences."""
    pool = kind(4).double()
    assert torch.autograd.gradcheck(lambda features: pool(batch, features), (x,))
