"""GINConv against dgl.nn and PyG."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.conv import weight_matrices
from zoo.layers.edge_embedding import LinearEdgeEmbedding
from zoo.layers.gin import GINConv, GINEConv
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
def test_gine_equals_pyg(
    graph: Any, features: Any, compare: Any, copy_into: Any, pyg: Any, edge_index: Any, learn: bool
):
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
