"""What every convolution says of itself, and the helper that splits a width over heads."""

import pytest
import torch
from torch import nn

import zoo
from registry import convs
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.layers.conv import edge_notes, head_width, weight_matrices
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.recipe import recipe_files
from zoo.recipe.load import load
from zoo.studies.grid import variants
from zoo.studies.study_file import read_study

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


WATCHED = ("self-loops", "edge features")


def notes(recipe: str, *overrides: str) -> dict[str, tuple[str, str]]:
    """What a recipe's record says of edges."""
    choices = zoo.build(recipe, overrides).choices
    return {choice.what: (choice.chosen, choice.why) for choice in choices if choice.what in WATCHED}


@pytest.mark.parametrize("conv", ["gin", "sage", "dgl.nn.GINConv", "{name: dgl.nn.SAGEConv, aggregator_type: mean}"])
def test_loops_that_count_a_node_twice_are_noted(conv: str):
    """GIN and GraphSAGE, the zoo's and DGL's, are noted on a graph with loops, and not where these are removed."""
    model = f"model={{name: stack, conv: {conv}, residual: add}}"
    chosen, why = notes("smoke/res-gcn", model)["self-loops"]
    assert chosen == "200 on 200 nodes" and "twice" in why and "prepare.self_loops=remove" in why
    assert notes("smoke/res-gcn", model, "prepare.self_loops=remove") == {}


def test_gin_on_loops_is_gin_with_a_larger_epsilon():
    """What the note warns of: a loop at every node adds x_i once more, as ε + 1 does."""
    torch.manual_seed(0)
    plain, looped = (zoo.build("smoke/gin", [f"prepare.self_loops={loops}"]).graph for loops in ("remove", "add"))
    one, other = (GINConv(5, 3, eps=eps, activation=torch.nn.ReLU) for eps in (0.0, 1.0))
    other.mlp.load_state_dict(one.mlp.state_dict())
    x = torch.randn(plain.nodes, 5)
    torch.testing.assert_close(one(looped, x), other(plain, x))


def test_loops_that_are_wanted_and_missing_are_noted():
    """A GCN on a graph without loops hears a node's own features nowhere in the sum; an MLP does not care."""
    assert "prepare.self_loops=add" in notes("smoke/gcn", "prepare.self_loops=remove")["self-loops"][1]
    assert notes("smoke/gcn") == {} == notes("smoke/mlp", "prepare.self_loops=remove")


def test_a_convolution_that_says_nothing_is_not_noted():
    """Of a stranger's convolution nothing is known of loops; edge features it has to say that it reads."""

    class Strange(torch.nn.Module):
        """Declares nothing."""

    assert list(edge_notes(Strange(), loops=3, nodes=3, columns=0)) == []
    (note,) = edge_notes(Strange(), loops=3, nodes=3, columns=2)
    assert note[:2] == ("edge features", "not read") and "prepare.edge_features=drop" in note[2]
    reads = Strange()
    reads.__dict__["reads_edges"] = True
    assert list(edge_notes(reads, loops=0, nodes=3, columns=2)) == []


def test_two_kinds_of_convolutions_each_have_their_note():
    """A network of GCN and GIN blocks is told of the doubled loops that the GIN has, and of nothing else."""
    (note,) = edge_notes(
        torch.nn.ModuleList([GCNConv(2, 2), GINConv(2, 2, activation=torch.nn.ReLU)]), loops=4, nodes=4, columns=0
    )
    assert "GINConv" in note[2] and "GCNConv" not in note[2]


@pytest.mark.parametrize("name", [name for name in convs.names() if not name.endswith(".*")])
def test_every_convolution_says_what_it_wants(name: str):
    """Each of the zoo's convolutions declares its loops, but for the MLP, which looks at no edge."""
    kind = getattr(convs.get(name), "func", convs.get(name))
    assert kind.self_loops == (
        None if name == "mlp" else "avoid" if name in ("gin", "gine", "gcn-edge", "sage") else "add"
    )
    assert kind.reads_edges is (name in ("gine", "gcn-edge"))


def test_shipped_recipes_with_sage_or_gin_add_no_loops():
    """No shipped recipe whose convolution counts the node itself has `prepare.self_loops: add`."""
    models = [(load(name), name) for name in recipe_files.names()]
    own = [
        (recipe.prepare.self_loops, name)
        for recipe, name in models
        if {"gin", "gine", "sage", "gcn-edge"} & set(str(recipe.model.plain()).replace("'", " ").split())
    ]
    assert len(own) > 10 and [name for loops, name in own if loops == "add"] == []


@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
def test_the_study_of_sage_and_gin_runs_without_loops(quick: bool):
    """Every run of the study takes the loops away."""
    found = {variant.recipe.prepare.self_loops for variant in variants(read_study("sage-gin", quick=quick))}
    assert found == {"remove"}
