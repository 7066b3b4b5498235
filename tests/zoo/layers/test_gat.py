"""GATConv and GATv2Conv against dgl.nn and PyG."""

from typing import Any

import pytest
import torch

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.layers.gat import GATConv, GATv2Conv


@pytest.mark.parametrize("heads", [1, 3])
def test_gat_equals_dgl(graph: Any, features: Any, compare: Any, copy_into: Any, heads: int):
    """Forward and all gradients equal dgl.nn.GATConv."""
    ours = GATConv(4, 6, heads=heads).double()
    theirs = dgl.nn.GATConv(4, 6 // heads, heads, allow_zero_in_degree=True).double()
    pairs = [
        (ours.weight, theirs.fc.weight),
        (ours.source_attention, theirs.attn_l),
        (ours.target_attention, theirs.attn_r),
        (ours.bias, theirs.bias),
    ]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(graph.dgl, x).flatten(1), [(x, x), *pairs])


@pytest.mark.parametrize("merge", ["concat", "mean"])
def test_gat_equals_pyg(graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any, merge: Any):
    """Forward and all gradients equal PyG's GATConv, with heads concatenated or averaged."""
    ours = GATConv(4, 6, heads=3, merge=merge, negative_slope=0.1).double()
    theirs = pyg.GATConv(
        4, 2 if merge == "concat" else 6, 3, concat=merge == "concat", negative_slope=0.1, add_self_loops=False
    ).double()
    pairs = [
        (ours.weight, theirs.lin.weight),
        (ours.source_attention, theirs.att_src),
        (ours.target_attention, theirs.att_dst),
        (ours.bias, theirs.bias),
    ]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(x, edge_index(graph)), [(x, x), *pairs])


@pytest.mark.parametrize("share", [False, True])
def test_gatv2_equals_dgl(graph: Any, features: Any, compare: Any, copy_into: Any, share: bool):
    """Forward and all gradients equal dgl.nn.GATv2Conv without bias, with and without shared weights."""
    ours = GATv2Conv(4, 6, heads=3, share_weights=share, bias=False).double()
    theirs = dgl.nn.GATv2Conv(4, 2, 3, share_weights=share, bias=False, allow_zero_in_degree=True).double()
    pairs: list[Any] = [(ours.source_weight, theirs.fc_src.weight), (ours.attention, theirs.attn)]
    if not share:
        pairs.append((ours.target_weight, theirs.fc_dst.weight))
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(graph.dgl, x).flatten(1), [(x, x), *pairs])


def test_gatv2_equals_pyg(graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any):
    """Forward and all gradients equal PyG's GATv2Conv, with its inner biases at zero."""
    ours = GATv2Conv(4, 5, heads=2, merge="mean").double()
    theirs = pyg.GATv2Conv(4, 5, 2, concat=False, add_self_loops=False).double()
    torch.nn.init.zeros_(theirs.lin_l.bias)
    torch.nn.init.zeros_(theirs.lin_r.bias)
    pairs = [
        (ours.source_weight, theirs.lin_l.weight),
        (ours.target_weight, theirs.lin_r.weight),
        (ours.attention, theirs.att),
        (ours.bias, theirs.bias),
    ]
    for mine, other in pairs:
        copy_into(mine, other)
    x = features(4)
    compare(ours(graph, x), theirs(x, edge_index(graph)), [(x, x), *pairs])


def test_attention_dropout_drops_in_training_only(graph: Any, features: Any):
    """With dropout two passes differ in training and agree in evaluation."""
    conv, x = GATConv(4, 6, heads=3, attention_dropout=0.5).double(), features(4)
    assert not torch.equal(conv(graph, x), conv(graph, x))
    conv.eval()
    assert torch.equal(conv(graph, x), conv(graph, x))


def test_heads_have_to_divide_the_width():
    """The error names the nearest numbers of heads that do."""
    with pytest.raises(BuildError, match=r"heads.*3 heads do not divide the width 64.*nearest: 2 or 4"):
        GATConv(8, 64, heads=3)
