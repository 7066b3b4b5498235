"""Convolutions that a block runs together with what follows them."""

import pytest
import torch

from zoo.engine.epilogue import Epilogue
from zoo.graphs.graph import Graph
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gcn import GCNConv
from zoo.layers.sage import SAGEConv


@pytest.mark.parametrize("conv", [GCNConv, SAGEConv, GATConv, GATv2Conv])
def test_fused_is_forward_and_what_follows(conv):
    """Activation and skip after `forward` give what `fused` does."""
    src, dst = torch.randint(0, 20, (2, 60), generator=torch.Generator().manual_seed(0))
    graph, x, skip = Graph.from_edges(src, dst, 20), torch.randn(20, 6), torch.randn(20, 4)
    made = conv(6, 4)
    expected = 0.5 * torch.relu(made(graph, x)) + 0.3 * skip
    torch.testing.assert_close(made.fused(graph, x, skip, Epilogue(0.0, 0.5, 0.3)), expected)
