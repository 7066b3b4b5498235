"""GCNConv against dgl.nn and PyG."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.conv import weight_matrices
from zoo.layers.gcn import GCNConv, GCNEdgeConv


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


class Same(nn.Module):
    """An edge embedding that hands on what it gets, so that gradients can be asked for."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


def written_out(conv: GCNEdgeConv, src: list[int], dst: list[int], nodes: int, x: Tensor, edges: Tensor) -> Tensor:
    """Σ_j ReLU(h_j + e_ij)/√(d_i d_j) + ReLU(h_i + r)/d_i, one edge after the other."""
    weight, bias = dict(conv.named_parameters())["linear.weight"], dict(conv.named_parameters())["linear.bias"]
    h = x @ weight + bias
    rows = []
    for i in range(nodes):
        d_i = dst.count(i) + 1
        row = torch.relu(h[i] + conv.root) / d_i
        for edge, (j, to) in enumerate(zip(src, dst, strict=True)):
            if to == i:
                row = row + torch.relu(h[j] + edges[edge]) / (d_i * (src.count(j) + 1)) ** 0.5
        rows.append(row)
    return torch.stack(rows)


def pairs(conv: GCNEdgeConv, x: Tensor, edges: Tensor) -> list[Any]:
    """What gradients are compared of."""
    return [(each, each) for each in (x, edges, *conv.parameters())]


def made(graph: Graph) -> tuple[GCNEdgeConv, Tensor]:
    """A convolution in float64 with a bias that is not zero, and features of the graph's edges."""
    conv = GCNEdgeConv(4, 3, edge_embedding=Same).double()
    nn.init.normal_(dict(conv.named_parameters())["linear.bias"])
    graph.edge_features = torch.randn(graph.edges, 3, dtype=torch.float64).requires_grad_()
    return conv, graph.edge_features


def test_equals_the_formula(graph: Any, features: Any, compare: Any):
    """Forward and all gradients, on a directed graph with multi-edges, loops and isolated nodes."""
    conv, edges = made(graph)
    x = features(4)
    src, dst = (end.tolist() for end in graph.dgl.edges(order="eid"))
    compare(conv(graph, x), written_out(conv, src, dst, graph.nodes, x, edges), pairs(conv, x, edges))


def test_a_block_equals_the_formula(features: Any, compare: Any, kernel: Any):
    """On a block, with the block's degrees, the result is one row for each destination."""
    src, dst = [0, 5, 8, 3, 2, 7, 1, 5], [0, 0, 1, 1, 2, 2, 0, 3]
    made_block = dgl.create_block((torch.tensor(src), torch.tensor(dst)), num_src_nodes=9, num_dst_nodes=4)
    block = Graph(made_block, kernel=kernel)
    conv, edges = made(block)
    x = features(4)
    compare(conv(block, x), written_out(conv, src, dst, 4, x, edges), pairs(conv, x, edges))


def test_with_zero_edges_and_relu_of_positives_it_is_a_gcn(undirected: Any, features: Any):
    """Without edge features or a root vector, and with nothing negative, it is Â h of the graph with loops added."""
    conv, edges = made(undirected)
    x = features(4).detach()
    with torch.no_grad():
        edges.zero_()
        conv.root.zero_()
        for parameter in conv.linear.parameters():
            parameter.abs_()
        x.abs_()
    with_loops = dgl.graph(undirected.dgl.edges(order="eid"), num_nodes=undirected.nodes)
    with_loops = dgl.add_edges(with_loops, range(undirected.nodes), range(undirected.nodes))
    with torch.no_grad():
        expected = dgl.nn.GraphConv(3, 3, weight=False, bias=False)(with_loops, conv.linear(x))
    torch.testing.assert_close(conv(undirected, x), expected, rtol=0, atol=1e-12)


def test_weight_matrices_are_the_linear_maps_alone():
    """Weight normalisers find W; neither the root vector nor the bonds' tables."""
    assert [(name, tuple(matrix.shape)) for name, matrix in weight_matrices(GCNEdgeConv(4, 3))] == [
        ("linear.weight", (4, 3))
    ]
    assert dict(GCNEdgeConv(4, 3, bias=False).named_parameters()).get("linear.bias") is None


def test_a_graph_of_plain_edges_is_refused(graph: Any, features: Any):
    """The error says what the convolution needs, and which does without."""
    with pytest.raises(BuildError, match=r"conv gcn-edge — .*conv=gcn$"):
        GCNEdgeConv(4, 3)(graph, features(4).float())
