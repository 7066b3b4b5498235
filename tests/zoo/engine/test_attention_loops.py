"""Which loops run in which order: what they are handed, and what they leave behind."""

import pytest
import torch

from zoo.engine.attention import AttentionPlan, DynamicScores, StaticScores
from zoo.engine.attention_loops import DynamicLoops, StaticLoops
from zoo.engine.kernel import Epilogue
from zoo.graphs.graph import Graph


@pytest.mark.parametrize("kind", [StaticLoops, DynamicLoops])
def test_forward_weighs_by_the_softmax(kind):
    """Logits are those of the formula, less the largest of the row; the sum is weighed by their softmax."""
    src, dst = torch.randint(0, 15, (2, 60), generator=torch.Generator().manual_seed(0))
    whole = Graph.from_edges(src, dst, 20, "compiled")
    x, weight, first = (torch.randn(s, dtype=torch.float64) for s in ((20, 5), (2, 5, 3), (2, 3)))
    second = torch.randn(2, 3, dtype=torch.float64) if kind is StaticLoops else None
    scores = (StaticScores if kind is StaticLoops else DynamicScores)(0.2)
    loops = kind(AttentionPlan(whole, kind, scores, False, Epilogue(), None, 1.0, True), x, weight, first, second)
    y, mask = loops.forward(None, None)
    assert mask is None and y.shape == (20, 6)
    logits = torch.empty(60, 2, dtype=torch.float64)
    loops.logits(logits)
    row = whole.structure.dst[whole.structure.incoming.edges.long()].long()
    powers = logits.exp()
    sums = torch.zeros(20, 2, dtype=torch.float64).index_add(0, row, powers)
    values = (x @ weight).transpose(0, 1)
    columns = whole.structure.incoming.columns.long()
    by_row = (powers / sums[row])[..., None] * values[columns]
    torch.testing.assert_close(y.view(20, 2, 3), torch.zeros(20, 2, 3, dtype=torch.float64).index_add(0, row, by_row))
    assert torch.equal(logits[row == 3].amax(0), torch.zeros(2, dtype=torch.float64))
