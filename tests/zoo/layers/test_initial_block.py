"""The block whose convolution reads X_0."""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.gcnii import GCNIIConv
from zoo.layers.initial_block import InitialBlock

WIDTH = 4


def test_a_block_runs_its_parts_in_order(undirected: Any, features: Any):
    """Dropout → convolution with X_0 as it is → norms → activation."""
    x, first = features(WIDTH), features(WIDTH + 1)[:, :WIDTH]

    class Twice(nn.Module):
        def forward(self, graph: Any, x: Tensor) -> Tensor:
            """Double it."""
            return 2 * x

    conv = GCNIIConv(WIDTH, 3, alpha=0.3, theta=0.7).double()
    block = InitialBlock(conv, norms=[Twice(), Twice()], activation=nn.Tanh(), dropout=0.5)
    torch.manual_seed(3)
    got = block(undirected, x, first)
    torch.manual_seed(3)
    expected = torch.tanh(4 * conv(undirected, nn.functional.dropout(x, 0.5), first))
    torch.testing.assert_close(got, expected)
