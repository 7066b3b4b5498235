"""MLPConv, the convolution without a graph."""

from typing import Any

import torch

from zoo.layers.mlp import MLPConv


def test_is_a_linear_map_of_each_node(graph: Any, features: Any, compare: Any, copy_into: Any):
    """Forward and all gradients equal torch.nn.Linear."""
    ours, theirs = MLPConv(4, 3).double(), torch.nn.Linear(4, 3).double()
    pairs = [(ours.linear.weight, theirs.weight), (ours.linear.bias, theirs.bias)]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(x), [(x, x), *pairs])
