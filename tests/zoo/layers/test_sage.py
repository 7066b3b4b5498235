"""SAGEConv against dgl.nn and PyG."""

from typing import Any

import pytest

from zoo.dgl_backend import dgl
from zoo.layers.sage import SAGEConv


@pytest.mark.parametrize(("in_width", "out_width"), [(3, 5), (5, 3)])
def test_equals_dgl(graph: Any, features: Any, compare: Any, copy_into: Any, in_width: int, out_width: int):
    """Forward and all gradients equal dgl.nn.SAGEConv with the mean, in both orders of multiplication."""
    ours, theirs = SAGEConv(in_width, out_width).double(), dgl.nn.SAGEConv(in_width, out_width, "mean").double()
    pairs = [
        (ours.root_weight, theirs.fc_self.weight),
        (ours.neighbor_weight, theirs.fc_neigh.weight),
        (ours.bias, theirs.fc_self.bias),
    ]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(in_width)
    compare(ours(graph, x), theirs(graph.dgl, x), [(x, x), *pairs])


@pytest.mark.parametrize("aggregator", ["mean", "sum"])
def test_equals_pyg(
    graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any, aggregator: Any
):
    """Forward and all gradients equal PyG's SAGEConv with mean and sum."""
    ours, theirs = SAGEConv(4, 3, aggregator=aggregator).double(), pyg.SAGEConv(4, 3, aggr=aggregator).double()
    pairs = [
        (ours.root_weight, theirs.lin_r.weight),
        (ours.neighbor_weight, theirs.lin_l.weight),
        (ours.bias, theirs.lin_l.bias),
    ]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(x, edge_index(graph)), [(x, x), *pairs])
