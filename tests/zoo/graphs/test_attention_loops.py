"""Which loops run in which order: what they are handed, and what they leave behind."""

import pytest
import torch

from zoo.graphs.attention_loops import DynamicLoops, StaticLoops
from zoo.graphs.epilogue import Epilogue
from zoo.graphs.graph import Graph


@pytest.mark.parametrize("kind", [StaticLoops, DynamicLoops])
def test_the_shift_makes_the_softmax_anew(kind):
    """Forward gives each row's and head's logarithm of the sum of exponentials, by which alone weights are found."""
    src, dst = torch.randint(0, 15, (2, 60), generator=torch.Generator().manual_seed(0))
    whole = Graph.from_edges(src, dst, 20, "compiled")
    x, weight, first = (torch.randn(s, dtype=torch.float64) for s in ((20, 5), (2, 5, 3), (2, 3)))
    second = torch.randn(2, 3, dtype=torch.float64) if kind is StaticLoops else None
    loops = kind(whole, x, weight, first, second, 0.2)
    y, mask, shift = loops.forward(None, None, Epilogue(), None, 1.0, True)
    assert mask is None and y.shape == (20, 6)
    logits = torch.empty(60, 2, dtype=torch.float64)
    loops.logits(logits, torch.zeros(20, 2, dtype=torch.float64), known=True)
    row = whole.structure.dst[whole.structure.incoming.edges.long()].long()
    sums = torch.zeros(20, 2, dtype=torch.float64).index_add(0, row, logits.exp())
    there = whole.in_degrees > 0
    torch.testing.assert_close(shift[there], sums.log()[there])
    by_row = (logits - shift[row]).exp()
    values = (x @ weight).transpose(0, 1)
    columns = whole.structure.incoming.columns.long()
    expected = torch.zeros(20, 2, 3, dtype=torch.float64).index_add(0, row, by_row[..., None] * values[columns])
    torch.testing.assert_close(y.view(20, 2, 3), expected)
