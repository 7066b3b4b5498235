"""Residual connections in closed form."""

import importlib
import math
import warnings
from typing import Any

import pytest
import torch

from zoo.errors import BuildError
from zoo.layers.residual import AdaptiveReadout, AddSkip, InitialSkip, JumpingKnowledge, NoSkip, Residual

X, UPDATE, FIRST = torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, -20.0]]), torch.tensor([[100.0, 200.0]])


@pytest.mark.parametrize(
    ("residual", "expected"),
    [
        (NoSkip(), [[10.0, -20.0]]),
        (AddSkip(), [[11.0, -18.0]]),
        (InitialSkip(), [[19.0, 2.0]]),
        (InitialSkip(alpha=0.5), [[55.0, 90.0]]),
        (JumpingKnowledge(), [[10.0, -20.0]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_closed_form(residual: Residual, expected: list[list[float]]):
    """Each kind joins input, update and X_0 as its formula says."""
    torch.testing.assert_close(residual(X, UPDATE, FIRST), torch.tensor(expected))


@pytest.mark.parametrize(
    ("merge", "expected", "width"),
    [
        ("concat", [[1.0, 2.0, 10.0, -20.0]], 4),
        ("max", [[10.0, 2.0]], 2),
        ("mean", [[5.5, -9.0]], 2),
    ],
)
def test_jumping_reads_all_blocks(merge, expected: list[list[float]], width: int):
    """Jumping knowledge concatenates, or takes the elementwise maximum or mean, and says how wide that is."""
    jumping = JumpingKnowledge(merge=merge)
    torch.testing.assert_close(jumping.readout([X, UPDATE]), torch.tensor(expected))
    assert jumping.collects and jumping.readout_width(2, 2) == width


def test_jumping_by_lstm_is_pygs():
    """With PyG's width of the LSTM and its weights, the readout and all gradients are those of PyG, to 1e-12."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyG's import warns of concerns PyG alone
        pyg: Any = importlib.import_module("torch_geometric.nn")
    blocks, width = 3, 4
    theirs = pyg.JumpingKnowledge("lstm", width, blocks).double()
    jumping = JumpingKnowledge(merge="lstm", lstm_width=blocks * width // 2)
    jumping.build_readout(width, blocks)
    jumping.double()
    assert jumping.lstm is not None and jumping.score is not None and jumping.score.bias is not None
    jumping.lstm.load_state_dict(theirs.lstm.state_dict())
    jumping.score.weight.data.copy_(theirs.att.weight.data.T)
    jumping.score.bias.data.copy_(theirs.att.bias.data)

    outputs = [torch.randn(5, width, dtype=torch.float64, requires_grad=True) for _ in range(blocks)]
    got, expected = jumping.readout(outputs), theirs(outputs)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    mine = torch.autograd.grad(got.square().sum(), [*outputs, *jumping.lstm.parameters()])
    wanted = torch.autograd.grad(expected.square().sum(), [*outputs, *theirs.lstm.parameters()])
    for one, other in zip(mine, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_only_the_readout_has_an_lstm():
    """Instances that stand in blocks have no parameters; the LSTM is as wide as the blocks unless asked otherwise."""
    assert not list(JumpingKnowledge(merge="lstm").parameters())
    jumping = JumpingKnowledge(merge="lstm")
    jumping.build_readout(6, 3)
    assert jumping.lstm is not None and jumping.lstm.hidden_size == 6 and jumping.readout_width(6, 3) == 6
    with pytest.raises(BuildError, match=r"lstm_width .* merge=lstm"):
        JumpingKnowledge(merge="max", lstm_width=8)


def test_the_others_read_the_last_block():
    """Without jumping the head sees the last block."""
    assert not AddSkip().collects and AddSkip().readout_width(2, 5) == 2
    assert torch.equal(AddSkip().readout([X, UPDATE]), UPDATE)


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
