"""Propagation without weights."""

from typing import Any

import pytest

from zoo.dgl_backend import dgl
from zoo.layers.propagation import Propagation


@pytest.mark.parametrize("norm", ["both", "right"])
def test_a_step_is_dgls_graph_convolution_without_weights(graph: Any, features: Any, compare: Any, norm: Any):
    """Â X equals dgl.nn.GraphConv(weight=False), on a directed graph with isolated nodes, with its gradient."""
    x = features(4)
    theirs = dgl.nn.GraphConv(4, 4, norm=norm, weight=False, bias=False, allow_zero_in_degree=True)
    ours = Propagation(4, norm=norm)
    compare(ours(graph, x), theirs(graph.dgl, x), [(x, x)])
    assert ours.propagation == norm and not list(ours.parameters())
