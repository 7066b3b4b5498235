"""What every convolution says of itself, and the helper that splits a width over heads."""

import pytest
import torch
from torch import nn

from registry import convs
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.conv import head_width, weight_matrices

PROPAGATION = {
    "gcn": "both",
    "gat": "right",
    "lipschitz-gat": "right",
    "gatv2": "right",
    "sage": "right",
    "gin": "sum",
    "mlp": None,
}


def test_the_width_is_split_evenly():
    """The heads together are as wide as asked."""
    assert [head_width(64, heads) for heads in (1, 8, 64)] == [64, 8, 1]


def test_the_nearest_divisors_are_named():
    """The error names the two divisors nearest to the number asked for, and the option."""
    with pytest.raises(BuildError, match=r"conv\.num_heads.*nearest: 1 or 7"):
        head_width(7, 3, "num_heads")


@pytest.mark.parametrize("name", PROPAGATION)
def test_propagation_is_what_the_conv_does(name):
    """Features in the limit subspace that the conv names stay in it, up to what the weights do to the columns."""
    conv = convs.get(name)(3, 3, **({"activation": nn.ReLU} if name == "gin" else {}))
    assert conv.propagation == PROPAGATION[name]
    if conv.propagation is None:
        return
    torch.manual_seed(0)
    graph = Graph.from_edges(
        torch.tensor([0, 1, 1, 2, 2, 0, 0, 1, 2, 3]), torch.tensor([1, 0, 2, 1, 0, 2, 0, 1, 2, 3]), 4
    )
    if name == "gin":
        conv.mlp = nn.Sequential(conv.mlp[0])  # without its activation and biases the rest is linear
    subspace = graph.subspace("limit", conv.propagation)
    direction = torch.randn(1, 3)
    x = subspace.weight[:, None].float() * torch.randn(subspace.count, 1)[subspace.group] * direction  # pyright: ignore[reportAttributeAccessIssue]
    with torch.no_grad():
        off, within = subspace.split(conv(graph, x))
    assert off.norm() < 1e-5 * within.norm()


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("GraphConv", {}, "both"),
        ("GraphConv", {"norm": "right"}, "right"),
        ("GraphConv", {"norm": "none"}, "sum"),
        ("SAGEConv", {"aggregator_type": "mean"}, "right"),
        ("GATConv", {"num_heads": 1}, "right"),
        ("GINConv", {}, "sum"),
        ("TAGConv", {}, "both"),
    ],
)
def test_propagation_of_foreign_convs(name, options, expected):
    """What DGL's modules are told by their options."""
    assert convs.get(f"dgl.nn.{name}")(4, 4, **options).propagation == expected


def test_weight_matrices_are_found_by_name_and_shape():
    """Matrices, of heads and of parts too; no biases, attention vectors or norms."""
    gat = convs.get("gat")(4, 4, heads=2)
    assert [name for name, _ in weight_matrices(gat)] == ["weight"]
    gin = convs.get("gin")(4, 4, batch_norm=True, activation=nn.ReLU)
    assert [name for name, _ in weight_matrices(gin, "conv")] == ["conv.mlp.0.weight", "conv.mlp.3.weight"]
    assert dict(weight_matrices(gat, "b"))["b.weight"] is gat.weight
