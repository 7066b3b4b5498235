"""The adaptive readout in closed form."""

import math

import torch

from zoo.layers.readout import AdaptiveReadout


def test_each_node_weighs_its_steps_by_itself():
    """Σ_l sigmoid(x_l·s + b) x_l with numbers by hand: one node, one channel, two steps."""
    readout = AdaptiveReadout(1)
    readout.gate.weight.data.fill_(2.0)
    torch.nn.init.constant_(readout.gate.bias, -1.0)  # type: ignore[arg-type]
    got = readout.readout([torch.tensor([[1.0], [0.0]]), torch.tensor([[3.0], [-1.0]])])
    sigmoid = [1 / (1 + math.exp(-z)) for z in (1.0, 5.0, -3.0)]
    torch.testing.assert_close(got, torch.tensor([[sigmoid[0] * 1 + sigmoid[1] * 3], [-sigmoid[2]]]))
    assert readout.collects and readout.reads_first and readout.readout_width(1, 9) == 1


def test_blocks_have_no_skip():
    """As the residual of a block it hands the update on."""
    update = torch.randn(2, 1)
    assert torch.equal(AdaptiveReadout(1)(torch.randn(2, 1), update, None), update)
