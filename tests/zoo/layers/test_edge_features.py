"""Edge embeddings against OGB's own encoder and torch.nn."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from registry import datasets
from zoo import ogb_backend
from zoo.datasets.base import GraphData
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.conv import weight_matrices
from zoo.layers.edge_features import (
    BondEmbedding,
    CategoryEdgeEmbedding,
    GCNEdgeConv,
    GINEConv,
    LinearEdgeEmbedding,
    edge_features,
    make_edge_embedding,
)
from zoo.layers.linear import Linear


def bonds(count: int) -> torch.Tensor:
    """Made-up bonds, every category of every column among them."""
    generator = torch.Generator().manual_seed(0)
    columns = [torch.randint(many, (count,), generator=generator) for many in ogb_backend.bond_categories()]
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("count", [0, 3, 500])
def test_bonds_equal_ogbs_encoder(count: int):
    """Values and gradients are those that OGB's class computes of the same parameters, which its state fits."""
    ours = BondEmbedding(4).double()
    theirs = ogb_backend.bond_encoder(4).double()
    theirs.load_state_dict(ours.encoder.state_dict())
    x = bonds(count)
    one, other = ours(x), theirs(x)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    incoming = torch.randn(count, 4, dtype=torch.float64)
    pairs = [
        torch.autograd.grad(y, list(module.parameters()), incoming) for y, module in ((one, ours), (other, theirs))
    ]
    for mine, wanted in zip(*pairs, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-11)


def test_categories_are_summed():
    """The result is the sum of the columns' rows; tables have Glorot's bounds."""
    ours = CategoryEdgeEmbedding(4, categories=(3, 2))
    x = torch.tensor([[0, 1], [2, 0], [2, 0]])
    first, second = (torch.as_tensor(column.weight).detach() for column in ours.columns)
    torch.testing.assert_close(ours(x), torch.stack([first[a] + second[b] for a, b in x.tolist()]))
    assert 0 < float(first.abs().max()) <= (6 / 7) ** 0.5
    with pytest.raises(BuildError, match="no categories"):
        CategoryEdgeEmbedding(4, categories=())


def test_floats_are_mapped():
    """The linear embedding equals torch.nn.Linear; other columns, or integers, are refused."""
    ours = LinearEdgeEmbedding(4, columns=2)
    theirs = torch.nn.Linear(2, 4)
    with torch.no_grad():
        ours.map.copy_(theirs.weight.t())
        ours.bias.copy_(theirs.bias)
    x = torch.randn(5, 2)
    torch.testing.assert_close(ours(x), theirs(x))
    with pytest.raises(BuildError, match=r"\[5, 3\] — expected floats \[edges, 2\] — columns=3"):
        ours(torch.randn(5, 3))
    with pytest.raises(BuildError, match="edge_embedding=category"):
        ours(torch.zeros(5, 2).long())


@pytest.mark.parametrize(
    "make", [BondEmbedding, partial(CategoryEdgeEmbedding, categories=(3, 2)), partial(LinearEdgeEmbedding, columns=2)]
)
def test_weight_normalisers_leave_them_alone(make: Any):
    """None of the parameters is a weight matrix of a convolution's, by the names that those have."""
    assert list(make(4).parameters())
    assert dict(weight_matrices(make(4))) == {}


def test_by_name_or_by_factory():
    """A name is looked up in its table, a factory is called with the width."""
    assert type(make_edge_embedding("bond", 4)) is BondEmbedding
    assert make_edge_embedding(partial(LinearEdgeEmbedding, columns=3), 4)(torch.zeros(2, 3)).shape == (2, 4)


def molecules(store: Any) -> GraphData:
    """Made-up molecules: chains of 4 atoms, whose class is their first atom's second column."""
    graphs, generator = 60, torch.Generator().manual_seed(0)
    categories = ogb_backend.atom_categories()
    atoms = torch.stack([torch.randint(many, (4 * graphs,), generator=generator) for many in categories], dim=1)
    start = torch.arange(4 * graphs).view(graphs, 4)
    one, other = start[:, :-1].flatten(), start[:, 1:].flatten()
    return GraphData(
        name="chains",
        src=torch.cat([one, other]),
        dst=torch.cat([other, one]),
        sizes=torch.full((graphs,), 4),
        features=atoms,
        labels=atoms[::4, 1] % 2,
        classes=2,
        categories=categories,
        embedding="atom",
        edge_features=bonds(len(one)).repeat(2, 1),
    )


@pytest.mark.parametrize("model", ["gine", "res-gine", "gcn-edge", "res-gcn-edge"])
def test_models_that_read_bonds_train(model: str, tmp_path: Any):
    """A recipe names the model alone: atoms are embedded by OGB's encoder, bonds in each block, and it learns."""
    datasets.register("chains")(molecules)
    settings = {
        "dataset": "chains",
        "prepare": {"self_loops": "keep", "direction": "keep"},
        "model": {"name": model, "depth": 2, "width": 8, "ends": "head"},
        "normalizer": "frobenius",
        "training": {"duration": "20 epochs"},
    }
    run = zoo.train("smoke/graphs", settings, runs=tmp_path)
    assert run.status == "finished"
    losses = run.metrics["loss"]
    assert losses.iloc[-1] < 0.9 * losses.iloc[0]
    with pytest.raises(BuildError, match="edge_features=drop"):
        zoo.build("smoke/graphs", {**settings, "prepare": {"self_loops": "add", "direction": "keep"}})
    with pytest.raises(BuildError, match=f"conv {model.removeprefix('res-')} — the graph's edges have no features"):
        zoo.build("smoke/graphs", {**settings, "prepare": {**settings["prepare"], "edge_features": "drop"}})


def test_a_convolution_of_any_name_is_told_that_edges_carry_nothing():
    """A convolution that reads edge features, whatever it is called, is named on a graph that has none."""
    graph = zoo.build("smoke/gcn").graph
    with pytest.raises(BuildError, match=r"conv mine — the graph's edges have no features .* conv=gin, or"):
        edge_features(graph, "mine")
    with pytest.raises(BuildError, match=r"conv mine — .* — conv=plain$"):
        edge_features(graph, "mine", plain="plain")


class Same(nn.Module):
    """An edge embedding that hands on what it gets, so that gradients can be asked for."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


def with_edges(graph: Graph, width: int) -> Tensor:
    """Give the graph's edges float64 features."""
    generator = torch.Generator().manual_seed(5)
    graph.edge_features = torch.randn(graph.edges, width, dtype=torch.float64, generator=generator).requires_grad_()
    return graph.edge_features


def pair(pyg: Any, copy_into: Any, learn: bool = False) -> tuple[GINEConv, Any, list[Any]]:
    """Ours and PyG's with the same weights, and the pairs of parameters."""
    ours = GINEConv(4, 3, edge_embedding=Same, eps=0.3, learn_eps=learn, expansion=2, activation=nn.Tanh).double()
    mlp: Any = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    theirs = pyg.GINEConv(mlp, eps=0.3, train_eps=learn).double()
    first, second = [part for part in ours.mlp.modules() if isinstance(part, Linear)]
    pairs: list[Any] = [(first.weight, mlp[0].weight), (first.bias, mlp[0].bias), (second.weight, mlp[2].weight)]
    for mine, other in pairs:
        copy_into(mine, other)
    with torch.no_grad():
        theirs.eps.copy_(ours.eps)  # their 0.3 is another float32 one
        second.bias.copy_(mlp[2].bias)  # pyright: ignore[reportOptionalMemberAccess]
    return ours, theirs, [*pairs, *([(ours.eps, theirs.eps)] if learn else [])]


@pytest.mark.parametrize("learn", [False, True])
def test_equals_pyg(graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any, learn: bool):
    """Forward and all gradients, of the edges' features and of ε too, equal PyG's GINEConv."""
    ours, theirs, pairs = pair(pyg, copy_into, learn)
    x, edges = features(4), with_edges(graph, 4)
    compare(ours(graph, x), theirs(x, edge_index(graph), edges), [(x, x), (edges, edges), *pairs])


def test_a_block_equals_pyg(features: Any, compare: Any, copy_into: Any, pyg: Any, kernel: Any):
    """On a sampled block the result is one row for each destination, as PyG's of a pair of node sets is."""
    src, dst = torch.tensor([0, 5, 8, 3, 2, 7, 1]), torch.tensor([0, 0, 1, 1, 2, 2, 0])
    block = Graph(dgl.create_block((src, dst), num_src_nodes=9, num_dst_nodes=4), kernel=kernel)
    ours, theirs, pairs = pair(pyg, copy_into)
    x, edges = features(4), with_edges(block, 4)
    wanted = theirs((x, x[:4]), torch.stack([src, dst]), edges)
    compare(ours(block, x), wanted, [(x, x), (edges, edges), *pairs])


def test_thinned_edges_keep_their_features(graph: Any, features: Any):
    """Without some edges, the result is that of a graph made of the others with their features."""
    ours = GINEConv(4, 3, edge_embedding=Same, activation=nn.Tanh).double()
    x, edges = features(4), with_edges(graph, 4)
    keep = torch.arange(graph.edges) % 3 != 1
    src, dst = (end[keep] for end in graph.dgl.edges(order="eid"))
    wanted = ours(Graph.from_edges(src, dst, graph.nodes, edge_features=edges[keep]), x)
    torch.testing.assert_close(ours(graph.edge_subgraph(keep), x), wanted, rtol=0, atol=1e-12)


def test_second_derivatives(graph: Any, features: Any):
    """The gradient can be differentiated again, with regard to nodes and edges."""
    ours = GINEConv(3, 2, edge_embedding=Same, activation=nn.Tanh).double()
    edges = with_edges(graph, 3)

    def of(x: Tensor, e: Tensor) -> Tensor:
        graph.edge_features = e
        return ours(graph, x)

    assert torch.autograd.gradgradcheck(of, (features(3), edges))


def test_mlp_and_weight_matrices():
    """Weight normalisers find the MLP's matrices and no table of the edges'; `expansion` widens its inside."""
    conv = GINEConv(4, 3, expansion=2, batch_norm=True, activation=nn.ReLU)
    shapes = {name: tuple(matrix.shape) for name, matrix in weight_matrices(conv)}
    assert shapes == {"mlp.0.weight": (4, 6), "mlp.3.weight": (6, 3)}
    assert any(name.startswith("edge_embedding.") for name, _ in conv.named_parameters())
    linear = GINEConv(4, 3, edge_embedding=partial(LinearEdgeEmbedding, columns=2), activation=nn.ReLU)
    assert set(dict(weight_matrices(linear))) == {"mlp.0.weight", "mlp.2.weight"}


def test_a_graph_of_plain_edges_is_refused(graph: Any, features: Any):
    """The error says what the convolution needs, and which does without."""
    with pytest.raises(BuildError, match=r"conv gine — .*no features.*prepare\.edge_features=keep — conv=gin$"):
        GINEConv(4, 3, activation=nn.ReLU)(graph, features(4).float())


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


def test_gcn_edge_refuses_a_graph_of_plain_edges(graph: Any, features: Any):
    """The error says what the convolution needs, and which does without."""
    with pytest.raises(BuildError, match=r"conv gcn-edge — .*conv=gcn$"):
        GCNEdgeConv(4, 3)(graph, features(4).float())
