"""SGC against PyG's."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.graphs import Graph
from zoo.models.sgc import SGC


def test_sgc_is_pygs(graph: Graph, edge_index: Tensor, x: Tensor, pyg: Any):
    """Propagating class scores gives what classifying propagated features does, with all gradients, to 1e-12."""
    network: Any = SGC(5, 3, [], depth=3).double()
    theirs = pyg.SGConv(5, 3, K=3, add_self_loops=False).double()
    nn.init.normal_(network.head.bias)
    theirs.lin.weight.data.copy_(network.encoder.linear.weight.data.T)
    theirs.lin.bias.data.copy_(network.head.bias.data)
    got, expected = network(graph, x), theirs(x, edge_index)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad(got.square().sum(), [network.encoder.linear.weight, network.head.bias])
    wanted = torch.autograd.grad(expected.square().sum(), [theirs.lin.weight, theirs.lin.bias])
    torch.testing.assert_close(ours[0], wanted[0].T, rtol=0, atol=1e-11)
    torch.testing.assert_close(ours[1], wanted[1], rtol=0, atol=1e-11)


def test_a_linear_classifier_is_all_there_is():
    """One matrix and one bias, whatever the depth."""
    assert sum(p.numel() for p in SGC(5, 3, [], depth=9).parameters()) == 5 * 3 + 3
