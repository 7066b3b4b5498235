"""Norms in a row."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.feature_norms import apply_norms


def test_norms_act_in_order_and_get_what_they_read(graph: Any):
    """First to last; one that reads the block's input is handed it, the others are not."""

    class Plus(nn.Module):
        def forward(self, graph: Any, x: Tensor) -> Tensor:
            """Add one."""
            return x + 1

    class TimesInput(nn.Module):
        reads_input = True

        def forward(self, graph: Any, x: Tensor, before: Tensor) -> Tensor:
            """Multiply by the input."""
            return x * before

    x, before = torch.ones(2, 1), torch.full((2, 1), 5.0)
    assert torch.equal(apply_norms([Plus(), TimesInput(), Plus()], graph, x, before), torch.full((2, 1), 11.0))
    assert apply_norms([], graph, x, before) is x
