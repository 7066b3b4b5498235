"""G²: the network written out, and convolutions that all blocks share."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.errors import BuildError, RecipeError
from zoo.graphs import Graph
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.models.g2 import G2

g2 = partial(G2, conv=GCNConv, activation=nn.ReLU, depth=4, width=4)


@pytest.mark.parametrize("own_gate", [True, False])
@pytest.mark.parametrize("p", [2.0, 2.5])
def test_the_network_in_closed_form(graph: Graph, dense: Tensor, x: Tensor, own_gate: bool, p: float):
    """Written out densely in float64, with the mean over neighbours that are not the node itself."""
    network: Any = g2(5, 3, [], own_gate=own_gate, p=p).double().eval()
    first = network.blocks[0]
    conv, gate = first.conv, first.gate_conv if own_gate else first.conv
    others = (dense > 0).double().fill_diagonal_(0)
    h = torch.relu(network.encoder.linear(x))
    for _ in range(4):
        y = torch.relu(dense @ h @ gate.weight + gate.bias)
        spread = (others[:, :, None] * (y[:, None] - y[None]).abs().pow(p)).sum(1)
        tau = torch.tanh(spread / others.sum(1).clamp(min=1)[:, None])
        h = (1 - tau) * h + tau * torch.relu(dense @ h @ conv.weight + conv.bias)
    torch.testing.assert_close(network(graph, x), network.head.linear(h), rtol=0, atol=1e-12)


def test_all_blocks_share_their_convolutions():
    """Each counts once among parameters and matrices, however deep; the gate's is no matrix for normalisers."""
    deep, shallow = (g2(5, 3, [], depth=depth, conv=partial(GATConv, heads=2)) for depth in (50, 1))
    assert sum(p.numel() for p in deep.parameters()) == sum(p.numel() for p in shallow.parameters())
    assert list(deep.block_matrices()) == ["blocks.0.conv.weight"]
    assert deep.blocks[0].gate_conv is deep.blocks[49].gate_conv is not deep.blocks[0].conv
    assert g2(5, 3, [], own_gate=False).blocks[0].gate_conv is None


def test_names_are_for_recipes():
    """Built by hand, conv has to be a factory; the error says so."""
    with pytest.raises(BuildError, match=r"model\.conv .*'gcn'"):
        G2(5, 3, [], activation=nn.ReLU)


def test_an_exponent_below_1_is_refused():
    """Its gradient is infinite where two neighbours are equal."""
    with pytest.raises(RecipeError, match="greater than or equal to 1"):
        zoo.build("smoke/g2", {"model.p": 0.5})
