"""Stack: every depth, both kinds of ends, every residual."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

import zoo
from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.layers.linear import MLPConv
from zoo.layers.residual import AddSkip, InitialSkip, JumpingKnowledge, NoSkip
from zoo.models.stack import Stack
from zoo.probes.tap import Tap
from zoo.probes.weights import NormalizerBound, UpdateRatio, WeightNorms, WeightSpectrum

NODES = 6
stack = partial(Stack, conv=GCNConv, residual=NoSkip, activation=nn.ReLU, width=4)


class Shift(nn.Module):
    """A feature normaliser that shifts by its width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, graph: Graph, x: Tensor) -> Tensor:
        """Add the width to x."""
        assert x.shape[1] == self.width
        return x + self.width


@pytest.fixture
def graph() -> Graph:
    """A ring with self-loops."""
    ring = torch.arange(NODES)
    after = (ring + 1) % NODES
    return Graph.from_edges(torch.cat([ring, ring, after]), torch.cat([ring, after, ring]), NODES)


@pytest.mark.parametrize("depth", [1, 2, 512, 1024])
@pytest.mark.parametrize("ends", ["linear", "head", "conv"])
def test_every_depth_runs_and_trains(graph: Graph, depth: int, ends: Any):
    """From 1 to 1024 blocks, a forward and a backward pass reach every parameter."""
    width = 4 if ends == "head" else 5
    network = stack(width, 3, [], depth=depth, ends=ends, residual=AddSkip, conv=partial(GCNConv, norm="right"))
    for matrix in network.block_matrices().values():
        matrix.data.mul_(0.1)  # keeps a thousand residual blocks finite
    logits = network(graph, torch.randn(NODES, width))
    functional.cross_entropy(logits, torch.arange(NODES) % 3).backward()
    assert logits.shape == (NODES, 3) and logits.isfinite().all()
    assert len(network.blocks) == len(network.block_matrices()) == depth
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_head_alone_in_closed_form(graph: Graph):
    """With ends "head", the blocks read the features themselves, which are X_0 of the initial residual too."""
    initial = partial(InitialSkip, alpha=0.3)
    network: Any = stack(4, 3, [], conv=MLPConv, residual=initial, activation=nn.Tanh, ends="head", depth=2)
    x = torch.randn(NODES, 4)
    expected = x
    for block in network.blocks:
        expected = 0.7 * torch.tanh(block.conv.linear(expected)) + 0.3 * x
    torch.testing.assert_close(network(graph, x), network.head.linear(expected))
    assert [name for name, _ in network.named_parameters() if not name.startswith(("blocks.", "head."))] == []


def test_a_head_alone_needs_features_as_wide_as_the_blocks():
    """The error says both widths, and what to change."""
    with pytest.raises(BuildError, match=r"features are 5 wide and the blocks 4 .*ends=linear, or model\.width=5"):
        stack(5, 3, [], ends="head")
    with pytest.raises(BuildError, match="last_conv"):
        stack(4, 3, [], ends="head", last_conv=GCNConv)


def test_conv_ends_are_kipf_and_wellings(graph: Graph):
    """With conv ends, a two-block GCN equals Â relu(Â X W_0 + b_0) W_1 + b_1 made of dgl.nn.GraphConv."""
    network: Any = stack(5, 3, [], ends="conv").double()
    first, second = (dgl.nn.GraphConv(a, b).double() for a, b in ((5, 4), (4, 3)))
    for ours, theirs in zip(network.blocks, (first, second), strict=True):
        theirs.load_state_dict(ours.conv.state_dict())
    x = torch.randn(NODES, 5, dtype=torch.float64)
    expected = second(graph.dgl, first(graph.dgl, x).relu())
    torch.testing.assert_close(network(graph, x), expected, rtol=0, atol=1e-12)


def test_linear_ends_in_closed_form(graph: Graph):
    """With linear ends and a graph-free conv, the network is the formula written out."""
    network: Any = stack(5, 3, [], conv=MLPConv, residual=AddSkip, activation=nn.Tanh)
    x = torch.randn(NODES, 5)
    expected = torch.tanh(network.encoder.linear(x))
    for block in network.blocks:
        expected = expected + torch.tanh(block.conv.linear(expected))
    torch.testing.assert_close(network(graph, x), network.head.linear(expected))


def test_last_conv_is_built_for_the_last_block():
    """last_conv replaces the conv of the last block; between linear ends it has no place."""
    two, one = partial(GATConv, heads=2), partial(GATConv, heads=1)
    network: Any = stack(5, 3, [], ends="conv", depth=3, conv=two, last_conv=one)
    assert [block.conv.heads for block in network.blocks] == [2, 2, 1]
    with pytest.raises(BuildError, match="last_conv"):
        stack(5, 3, [], last_conv=GCNConv)


def test_where_widths_change_there_is_no_residual():
    """With conv ends the first and the last block have no skip, the ones between do; the last has no activation."""
    network: Any = stack(5, 3, [], ends="conv", depth=4, residual=AddSkip)
    assert [type(block.residual).__name__ for block in network.blocks] == ["NoSkip", "AddSkip", "AddSkip", "NoSkip"]
    assert [type(block.activation).__name__ for block in network.blocks] == ["ReLU", "ReLU", "ReLU", "Identity"]


@pytest.mark.parametrize(
    ("position", "widths"), [("pre", [[5], [4], [4]]), ("inner", [[4], [4], []]), ("post", [[4], [4], []])]
)
def test_norms_are_built_for_the_width_they_act_on(graph: Graph, position: Any, widths: list[list[int]]):
    """Each norm gets the width at its place, and none comes after the last conv."""
    network: Any = stack(5, 3, [Shift], ends="conv", depth=3, norm_position=position)
    assert [[norm.width for norm in block.norms] for block in network.blocks] == widths
    assert network(graph, torch.randn(NODES, 5)).shape == (NODES, 3)


@pytest.mark.parametrize("residual", [NoSkip, AddSkip, InitialSkip])
@pytest.mark.parametrize("ends", ["linear", "conv"])
def test_every_residual_fits_both_ends(graph: Graph, residual: Any, ends: Any):
    """Each residual that needs no head runs with either kind of ends."""
    assert stack(5, 3, [], depth=3, residual=residual, ends=ends)(graph, torch.randn(NODES, 5)).shape == (NODES, 3)


@pytest.mark.parametrize(("merge", "width"), [("concat", 12), ("max", 4), ("mean", 4), ("lstm", 4)])
def test_jumping_widens_the_head(graph: Graph, merge: Any, width: int):
    """The head reads what jumping knowledge gives; without a head it is refused."""
    network: Any = stack(5, 3, [], depth=3, residual=partial(JumpingKnowledge, merge=merge))
    assert network.head.linear.weight.shape == (width, 3)
    assert network(graph, torch.randn(NODES, 5)).shape == (NODES, 3)
    with pytest.raises(BuildError, match="ends=linear"):
        stack(5, 3, [], ends="conv", residual=partial(JumpingKnowledge, merge=merge))


def test_jumping_by_lstm_trains_its_readout(graph: Graph):
    """The LSTM's parameters are the network's, once, and all get a gradient."""
    network = stack(5, 3, [], depth=3, residual=partial(JumpingKnowledge, merge="lstm"))
    network(graph, torch.randn(NODES, 5)).square().sum().backward()
    names = [name for name, _ in network.named_parameters() if "lstm" in name]
    assert names and all(name.startswith("readout.lstm.") for name in names)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("conv", [GCNConv, partial(GATConv, heads=2)])
def test_shared_weights_are_an_unrolled_recurrence(graph: Graph, conv: Any):
    """Output and gradients in float64 are those of one convolution applied again and again, to 1e-12."""
    network: Any = stack(5, 3, [], conv=conv, residual=AddSkip, depth=6, share_weights=True).double()
    x = torch.randn(NODES, 5, dtype=torch.float64)
    one = copy.deepcopy(network.blocks[0].conv)
    h = torch.relu(network.encoder.linear(x))
    for _ in range(6):
        h = h + torch.relu(one(graph, h))
    expected, got = network.head.linear(h), network(graph, x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    shared = list(network.blocks[0].conv.parameters())
    ours = torch.autograd.grad(got.square().sum(), shared)
    wanted = torch.autograd.grad(expected.square().sum(), list(one.parameters()))
    for mine, other in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_shared_weights_count_once():
    """Parameters, matrices and the optimiser have the one convolution once; norms are each block's own."""
    deep, shallow = (stack(5, 3, [], depth=depth, share_weights=True) for depth in (9, 1))
    assert sum(p.numel() for p in deep.parameters()) == sum(p.numel() for p in shallow.parameters())
    assert list(deep.block_matrices()) == ["blocks.0.conv.weight"]
    normed: Any = stack(5, 3, [Shift], depth=3, share_weights=True)
    assert len({id(norm) for block in normed.blocks for norm in block.norms}) == 3
    built = zoo.build("smoke/shared")
    held = [id(parameter) for group in built.optimizer.param_groups for parameter in group["params"]]
    assert len(held) == len(set(held)) == len(list(built.network.parameters())) == 6


def test_shared_weights_need_linear_ends():
    """Between conv ends widths differ, and the option is refused."""
    with pytest.raises(BuildError, match=r"share_weights .* ends=linear"):
        stack(5, 3, [], ends="conv", share_weights=True)


@pytest.mark.parametrize("mode", ["reparametrize", "project"])
def test_shared_weights_are_normalised_for_every_block(mode: str):
    """All blocks compute with the one normalised matrix; probes of weights, updates and bounds have every block."""
    normalizer = {"name": "frobenius", "c": 0.25, "mode": mode}
    built = zoo.build("smoke/shared", {"normalizer": normalizer})
    blocks: Any = built.network.blocks
    weight: Any = blocks[0].conv.weight
    with Tap(built.network, [WeightNorms(), WeightSpectrum(), NormalizerBound()]) as tap:
        built.task.loss(built.network, next(built.task.batches(0)))
    reading = tap.read()
    with Tap(built.network, [UpdateRatio()]) as updates:
        built.task.loss(built.network, next(built.task.batches(0))).backward()
    assert weight is blocks[3].conv.weight and isinstance(weight, nn.Parameter)
    assert weight.grad is not None and weight.grad.norm() > 0
    before = weight.detach().clone()
    built.optimizer.step()
    assert reading["weights.frobenius"] == pytest.approx([0.25] * 4, rel=1e-6)
    largest = float(torch.linalg.matrix_norm(0.25 * before / before.norm(), 2))
    assert reading["weights.spectral"] == pytest.approx([largest] * 4, rel=1e-5)
    assert updates.read()["updates.ratio"] == pytest.approx(
        [float((weight.detach() - before).norm() / before.norm())] * 4, rel=1e-5
    )
    assert reading["weights.c"][0] == 0.25
    places, c = built.network.bounds()[0]
    assert places == [0] and c.shape == (1, 1, 1)


def test_a_run_of_shared_weights_is_written_and_read_back(tmp_path):
    """The file holds the convolution once, and the network that is loaded scores what the run reports."""
    run = zoo.train("smoke/shared", {"normalizer.c": {"name": "adaptive", "per": "block"}}, runs=tmp_path)
    with safe_open(run.path / "model.safetensors", "pt") as file:
        assert [name for name in file.keys() if "conv" in name] == ["blocks.0.conv.bias", "blocks.0.conv.weight"]  # noqa: SIM118
    network, built = zoo.load(run.path), zoo.build(run.path / "recipe.yaml", seed=run.seed)
    right = (network(built.graph, built.data.features).argmax(dim=1) == built.data.labels)[built.split.test]
    assert float(right.double().mean()) == run.test
    assert network.blocks[0].conv is network.blocks[3].conv


def test_dropout_reaches_encoder_blocks_and_head():
    """One probability for all of them."""
    network = stack(5, 3, [], dropout=0.25)
    rates = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.25] * 4


def test_autocast_runs(graph: Graph):
    """Under bfloat16 autocast a network of GCN or GAT blocks runs forward and backward, near the float32 result."""
    for conv in (GCNConv, partial(GATConv, heads=2)):
        network, x = stack(5, 3, [], conv=conv, residual=AddSkip), torch.randn(NODES, 5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(graph, x)
        logits.float().square().sum().backward()
        torch.testing.assert_close(logits.float(), network(graph, x), rtol=0.05, atol=0.1)
        assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())


def test_names_are_for_recipes():
    """Built by hand, an activation has to be a factory; the error says so."""
    with pytest.raises(BuildError, match="'relu'"):
        Stack(5, 3, [], conv=GCNConv, residual=NoSkip)
