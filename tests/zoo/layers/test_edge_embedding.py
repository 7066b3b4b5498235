"""Edge embeddings against OGB's own encoder and torch.nn."""

from functools import partial
from typing import Any

import pytest
import torch

import zoo
from registry import datasets
from zoo import ogb_backend
from zoo.datasets.base import GraphData
from zoo.errors import BuildError
from zoo.layers.conv import weight_matrices
from zoo.layers.edge_embedding import (
    BondEmbedding,
    CategoryEdgeEmbedding,
    LinearEdgeEmbedding,
    edge_features,
    make_edge_embedding,
)


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
