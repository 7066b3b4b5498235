"""GATConv and GATv2Conv against dgl.nn and PyG, and LipschitzNorm against its formula and its bound."""

from typing import Any

import pytest
import torch

from registry import convs
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.gat import GATConv, GATv2Conv


@pytest.fixture(params=["compiled", "dgl", "torch"])
def kernel(request: pytest.FixtureRequest) -> Any:
    """Each kernel in turn: one operator, and step by step."""
    return request.param


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


def lipschitz_gat(conv: Any, src: Any, dst: Any, x: torch.Tensor) -> torch.Tensor:
    """Attention with LipschitzNorm as its equations have it, node by node and head by head."""
    rows = []
    for i in range(len(x)):
        sources = src[dst == i]
        heads = []
        for weight, a_s, a_t in zip(conv.weight, conv.source_attention, conv.target_attention, strict=True):
            z = x @ weight
            if not len(sources):
                heads.append(0 * z[i])
                continue
            scores = z[sources] @ a_s + z[i] @ a_t
            lengths = z.square().sum(1)
            bound = 4 * torch.cat([a_s, a_t]).norm() * (lengths[sources].max() + lengths[i]).sqrt()
            scores = torch.where(scores > 0, scores, 0.2 * scores) / bound
            heads.append(scores.softmax(0) @ z[sources])
        rows.append(torch.cat(heads) + conv.bias)
    return torch.stack(rows)


@pytest.mark.parametrize("heads", [1, 3])
def test_lipschitz_norm_equals_its_formula(graph: Any, features: Any, compare: Any, edge_index: Any, heads: int):
    """Forward and all gradients equal the equations written out, each head having a norm of its own."""
    torch.manual_seed(0)
    conv, x = GATConv(4, 6, heads=heads, attention_norm="lipschitz").double(), features(4)
    with torch.no_grad():
        conv.source_attention.mul_(5)  # far from uniform without the norm
    src, dst = edge_index(graph)
    pairs = [(p, p) for p in (x, *conv.parameters())]
    compare(conv(graph, x), lipschitz_gat(conv, src, dst, x), pairs)


@pytest.mark.parametrize("slope", [0.2, -1.0])
def test_lipschitz_norm_bounds_scores(graph: Any, slope: float):
    """At rows from 1e-12 to 1e12 and attention vectors of any size no score exceeds 1/4, and weights stay near 1/d."""
    torch.manual_seed(0)
    conv = GATConv(4, 6, heads=3, attention_norm="lipschitz", negative_slope=slope)
    degrees = graph.structure.incoming.lengths[graph.structure.dst.long()][:, None]
    for _ in range(50):
        x = torch.randn(graph.nodes, 4) * 10 ** torch.empty(graph.nodes, 1).uniform_(-12, 12)
        with torch.no_grad():
            for vector in (conv.source_attention, conv.target_attention):
                vector.normal_().mul_(10 ** torch.empty(3, 1).uniform_(-5, 5))
            scores = conv.values_and_scores(graph, x)[1]
            shares = graph.edge_softmax(scores) * degrees
        assert scores.abs().max() <= 0.25 + 1e-6
        assert (
            torch.exp(torch.tensor(-0.5)) - 1e-5 <= shares.min() <= shares.max() <= torch.exp(torch.tensor(0.5)) + 1e-5
        )


def test_lipschitz_norm_forgets_scales(graph: Any, features: Any):
    """Scores do not change with the scale of the features, of W or of the attention vectors together."""
    conv, x = GATConv(4, 6, heads=3, attention_norm="lipschitz").double(), features(4)
    expected = conv.values_and_scores(graph, x)[1]
    with torch.no_grad():
        for parameter, factor in ((conv.weight, 7), (conv.source_attention, 1e3), (conv.target_attention, 1e3)):
            parameter.mul_(factor)
    torch.testing.assert_close(conv.values_and_scores(graph, 1e-2 * x)[1], expected, rtol=0, atol=1e-12)


def test_the_bound_on_scores_is_reached():
    """Two nodes whose features are those of the attention vectors have a score of 1/4: no smaller bound holds."""
    conv = GATConv(2, 2, attention_norm="lipschitz").double()
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2))
        conv.source_attention.copy_(torch.tensor([[3.0, 4.0]]))
        conv.target_attention.copy_(torch.tensor([[1.0, 2.0]]))
    graph = Graph.from_edges(torch.tensor([0]), torch.tensor([1]), 2)
    x = torch.tensor([[3.0, 4.0], [1.0, 2.0]], dtype=torch.float64)
    assert conv.values_and_scores(graph, x)[1].item() == pytest.approx(0.25, abs=1e-12)


def test_lipschitz_norm_at_zero(graph: Any):
    """Rows of zeros, all of them, and attention vectors of zeros give finite values and gradients."""
    conv = GATConv(4, 6, heads=3, attention_norm="lipschitz")
    for zero in (slice(0, 2), slice(None)):
        x = torch.randn(graph.nodes, 4)
        x[zero] = 0
        y = conv(graph, x.requires_grad_())
        grads = torch.autograd.grad(y.square().sum() + y.sum(), [x, *conv.parameters()])
        assert y.isfinite().all() and all(grad.isfinite().all() and grad.abs().max() < 1e4 for grad in grads)
        with torch.no_grad():
            conv.source_attention.zero_()
            conv.target_attention.zero_()


def test_lipschitz_norm_on_a_sampled_block():
    """Destinations of a block get what the whole graph gives them."""
    whole = dgl.graph((torch.tensor([0, 1, 2, 3, 3, 1]), torch.tensor([1, 2, 0, 0, 1, 1])), num_nodes=4)
    block = dgl.to_block(dgl.in_subgraph(whole, [1, 0]), [1, 0])
    conv, x = GATConv(4, 6, heads=2, attention_norm="lipschitz").double(), torch.randn(4, 4, dtype=torch.float64)
    expected = conv(Graph(whole), x)[[1, 0]]
    torch.testing.assert_close(conv(Graph(block), x[block.srcdata[dgl.NID]]), expected, rtol=0, atol=1e-12)


def test_lipschitz_norm_in_mixed_precision(graph: Any):
    """Under autocast the result is that of float32, to the precision of bfloat16."""
    conv, x = GATConv(4, 6, heads=3, attention_norm="lipschitz"), torch.randn(graph.nodes, 4)
    expected = conv(graph, x)
    with torch.autocast("cpu", torch.bfloat16):
        actual = conv(graph, x)
    torch.testing.assert_close(actual.float(), expected, rtol=0.02, atol=0.02)


def test_lipschitz_gat_is_a_preset():
    """The name in the catalog stands for GATConv with the norm on; gat is without."""
    assert convs.get("lipschitz-gat")(4, 6, heads=2).attention_norm == "lipschitz"
    assert convs.get("gat")(4, 6).attention_norm == "none"
