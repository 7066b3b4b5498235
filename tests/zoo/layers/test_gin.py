"""GINConv against dgl.nn and PyG."""

from typing import Any

import pytest
import torch
from torch import nn

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.layers.gin import GINConv
from zoo.layers.linear import Linear


def mlp_of_torch() -> nn.Sequential:
    """The MLP in modules of torch.nn."""
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).double()


def share_weights(ours: GINConv, mlp: Any, copy_into: Any) -> list[Any]:
    """Copy the MLP's weights into ours, and return the pairs of parameters whose gradients are to agree."""
    first, second = [part for part in ours.mlp if isinstance(part, Linear)]
    pairs = [(first.weight, mlp[0].weight), (first.bias, mlp[0].bias), (second.bias, mlp[2].bias)]
    for mine, other in pairs:
        copy_into(mine, other)
    with torch.no_grad():
        second.weight.copy_(mlp[2].weight.t())
    return pairs


@pytest.mark.parametrize("learn", [False, True])
def test_equals_dgl(graph: Any, features: Any, compare: Any, copy_into: Any, learn: bool):
    """Forward and all gradients, that of ε included, equal dgl.nn.GINConv."""
    ours = GINConv(4, 3, eps=0.3, learn_eps=learn, activation=nn.Tanh).double()
    theirs = dgl.nn.GINConv(mlp_of_torch(), "sum", init_eps=0.3, learn_eps=learn).double()
    pairs = share_weights(ours, theirs.apply_func, copy_into)
    with torch.no_grad():
        theirs.eps.copy_(ours.eps)  # their 0.3 is a float32 one
    x = features(4)
    compare(ours(graph, x), theirs(graph.dgl, x), [(x, x), *pairs, *([(ours.eps, theirs.eps)] if learn else [])])


def test_equals_pyg(graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any):
    """Forward and all gradients equal PyG's GINConv."""
    ours = GINConv(4, 3, activation=nn.Tanh).double()
    theirs = pyg.GINConv(mlp_of_torch()).double()
    pairs = share_weights(ours, theirs.nn, copy_into)
    x = features(4)
    compare(ours(graph, x), theirs(x, edge_index(graph)), [(x, x), *pairs])


def test_layers_and_batch_norm_shape_the_mlp():
    """The option layers counts linear maps; batch_norm sits before each activation between them."""
    kinds = [type(part).__name__ for part in GINConv(4, 3, layers=3, activation=nn.Tanh, batch_norm=True).mlp]
    assert kinds == ["Linear", "RowBatchNorm", "Tanh", "Linear", "RowBatchNorm", "Tanh", "Linear"]
    assert [type(part).__name__ for part in GINConv(4, 3, layers=1).mlp] == ["Linear"]


def test_a_bare_activation_name_is_refused():
    """Names are looked up by the recipe builder; built by hand, a conv wants a factory."""
    with pytest.raises(BuildError, match=r"'relu'.*torch\.nn\.ReLU"):
        GINConv(4, 3)
