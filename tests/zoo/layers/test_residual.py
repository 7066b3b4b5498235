"""Residual connections in closed form."""

import pytest
import torch

from zoo.layers.residual import AddSkip, InitialSkip, JumpingKnowledge, NoSkip, Residual

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


def test_the_others_read_the_last_block():
    """Without jumping the head sees the last block."""
    assert not AddSkip().collects and AddSkip().readout_width(2, 5) == 2
    assert torch.equal(AddSkip().readout([X, UPDATE]), UPDATE)
