"""DAGNN in closed form."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.graphs import Graph
from zoo.models.dagnn import DAGNN

dagnn = partial(DAGNN, activation=nn.ReLU, width=4)


def test_the_network_in_closed_form(graph: Graph, dense: Tensor, x: Tensor):
    """Powers of a dense Â, gated node by node from X_0 on, in float64, with all gradients."""
    network: Any = dagnn(5, 3, [], depth=4).double().eval()
    gate, mlp = network.readout.gate, network.encoder
    nn.init.normal_(gate.bias)
    scores = torch.relu(x @ mlp.hidden.linear.weight + mlp.hidden.linear.bias)
    scores = scores @ mlp.output.linear.weight + mlp.output.linear.bias
    steps = [torch.linalg.matrix_power(dense, power) @ scores for power in range(5)]
    expected = torch.stack([torch.sigmoid(step @ gate.weight + gate.bias) * step for step in steps]).sum(0)
    got = network(graph, x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    parameters = list(network.parameters())
    wanted = torch.autograd.grad(expected.square().sum(), parameters)
    for mine, other in zip(torch.autograd.grad(got.square().sum(), parameters), wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-11)


def test_the_gate_is_the_only_weight_after_the_mlp():
    """Ten steps, dropout 0.8, and a gate of one column."""
    network = dagnn(5, 3, [])
    assert len(network.blocks) == 10 and not list(network.blocks.parameters())
    assert sum(p.numel() for p in network.readout.parameters()) == 3 + 1
    assert {module.p for module in network.encoder.modules() if isinstance(module, nn.Dropout)} == {0.8}
