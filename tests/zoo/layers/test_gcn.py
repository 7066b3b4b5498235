"""GCNConv against dgl.nn and PyG."""

from typing import Any

import pytest

from zoo.dgl_backend import dgl
from zoo.layers.gcn import GCNConv


@pytest.mark.parametrize(("in_width", "out_width"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("norm", ["both", "right"])
def test_equals_dgl(graph: Any, features: Any, compare: Any, copy_into: Any, norm: Any, in_width: int, out_width: int):
    """Forward and all gradients equal dgl.nn.GraphConv on a directed graph, in both orders of multiplication."""
    ours = GCNConv(in_width, out_width, norm=norm).double()
    theirs = dgl.nn.GraphConv(in_width, out_width, norm=norm, allow_zero_in_degree=True).double()
    copy_into(ours.weight, theirs.weight.t())
    copy_into(ours.bias, theirs.bias)
    x = features(in_width)
    pairs = [(x, x), (ours.weight, theirs.weight), (ours.bias, theirs.bias)]
    compare(ours(graph, x), theirs(graph.dgl, x), pairs)


def test_equals_pyg(undirected: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any):
    """Forward and all gradients equal PyG's GCNConv on an undirected graph."""
    ours = GCNConv(4, 3).double()
    theirs = pyg.GCNConv(4, 3, add_self_loops=False).double()
    copy_into(ours.weight, theirs.lin.weight)
    x = features(4)
    pairs = [(x, x), (ours.weight, theirs.lin.weight), (ours.bias, theirs.bias)]
    compare(ours(undirected, x), theirs(x, edge_index(undirected)), pairs)


def test_without_bias(graph: Any, features: Any):
    """bias=False leaves one parameter, and isolated nodes at zero."""
    conv = GCNConv(3, 2, bias=False).double()
    assert [name for name, _ in conv.named_parameters()] == ["weight"]
    assert conv(graph, features(3))[7:].abs().max() == 0
