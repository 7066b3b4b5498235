"""Reversible blocks against DGL's, a dense formula and their plain twins; what they keep, and what they refuse."""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.layers.foreign import dgl_conv
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.layers.gin import GINConv
from zoo.layers.linear import MLPConv
from zoo.layers.network import Network
from zoo.layers.reversible import ReversibleBlock, SavedOutput
from zoo.layers.sage import SAGEConv
from zoo.normalizers.standard import BatchNorm, LayerNorm

WIDTH, GROUPS, DEPTH = 6, 2, 5
Make = Callable[[int, int], nn.Module]


def make_block(conv: Make = GCNConv, groups: int = GROUPS, norms: Any = (), **options: Any) -> ReversibleBlock:
    share = WIDTH // groups
    convs = [conv(share, share) for _ in range(groups)]
    return ReversibleBlock(convs, norms=[[norm(share) for norm in norms] for _ in convs], **options)


def make_network(depth: int = DEPTH, **options: Any) -> Any:
    """Blocks on their own, in float64, with biases, scales and shifts that are not 0 or 1."""
    torch.manual_seed(3)
    network = Network(nn.Identity(), [make_block(**options) for _ in range(depth)], nn.Identity()).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def plain_twin(network: Any) -> Any:
    """The same network, whose blocks keep their activations."""
    twin = copy.deepcopy(network)
    for block in twin.blocks:
        block.reversible = False
    return twin


def gradients(network: nn.Module, graph: Graph, x: Tensor) -> dict[str, Tensor]:
    """The gradients of a loss, with those of the input; dropout begins from one seed."""
    torch.manual_seed(5)
    x = x.detach().requires_grad_()
    network.zero_grad()
    y = network(graph, x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
    assert x.grad is not None
    return {"x": x.grad, **{name: p.grad for name, p in network.named_parameters() if p.grad is not None}}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor], atol: float = 1e-10) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(
            ours[name], gradient, rtol=0, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_a_block_equals_the_formula_written_out_densely(undirected: Graph, features: Any, groups: int):
    """X'_i = X_i + Â relu(X'_{i−1}) W_i + b_i, with a dense Â; output and gradients to 1e-10."""
    block: Any = make_block(groups=groups).double()
    src, dst = undirected.dgl.edges(order="eid")
    counts = torch.zeros(undirected.nodes, undirected.nodes, dtype=torch.float64)
    counts.index_put_((dst, src), torch.ones(len(src), dtype=torch.float64), accumulate=True)
    degrees = [counts.sum(side).clamp(min=1).rsqrt() for side in (1, 0)]
    propagation = degrees[0][:, None] * counts * degrees[1]

    x, other = features(WIDTH), features(WIDTH)
    weights = [conv.weight.detach().clone().requires_grad_() for conv in block.conv]
    share = WIDTH // groups
    parts = [other[:, start : start + share] for start in range(0, WIDTH, share)]
    last, outputs = torch.stack(parts[1:]).sum(0), []
    for part, weight in zip(parts, weights, strict=True):
        last = part + propagation @ torch.clamp(last, min=0) @ weight
        outputs.append(last)
    expected = torch.cat(outputs, dim=1)
    y = block(undirected, x)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-10)
    incoming = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    found = torch.autograd.grad(y, [x, *(conv.weight for conv in block.conv)], incoming)
    torch.testing.assert_close(found, torch.autograd.grad(expected, [other, *weights], incoming), rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("groups", [2, 3])
def test_a_chain_equals_dgls_own_reversible_blocks(graph: Graph, features: Any, groups: int):
    """Output and gradients are those of dgl.nn.GroupRevRes around relu and dgl.nn.GraphConv."""

    class Update(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = dgl.nn.GraphConv(WIDTH // groups, WIDTH // groups, allow_zero_in_degree=True)

        def forward(self, graph: Any, x: Tensor) -> Tensor:
            return self.conv(graph, x.relu())

    network = make_network(groups=groups)
    theirs = [dgl.nn.GroupRevRes(Update(), groups).double() for _ in network.blocks]
    for block, other in zip(network.blocks, theirs, strict=True):
        other.load_state_dict({f"gnn_modules.{name[5:].replace('.', '.conv.', 1)}": value for name, value in
                               block.state_dict().items()})  # fmt: skip
    x = features(WIDTH).detach()
    ours = gradients(network, graph, x)

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(theirs)

        def forward(self, graph: Graph, x: Tensor) -> Tensor:
            x = x * 1  # DGL empties its input
            for block in self.blocks:
                x = block(graph.dgl, x)
            return x

    expected = gradients(Chain(), graph, x)
    renamed = {name.replace("gnn_modules", "conv").replace(".conv.weight", ".weight").replace(".conv.bias", ".bias"):
               value for name, value in expected.items()}  # fmt: skip
    assert_equal(ours, renamed)


CASES: dict[str, dict[str, Any]] = {
    "gcn": {},
    "three groups": {"groups": 3},
    "dropout": {"dropout": 0.5},
    "layer": {"norms": [LayerNorm], "dropout": 0.3},
    "batch": {"norms": [BatchNorm]},
    "two norms": {"norms": [BatchNorm, LayerNorm]},
    "attention dropout": {"conv": partial(GATConv, attention_dropout=0.4)},
    "heads": {"conv": partial(GATConv, heads=3)},
    "sage": {"conv": SAGEConv},
    "gin": {"conv": partial(GINConv, activation=nn.ReLU, batch_norm=True)},
    "foreign": {"conv": dgl_conv("GraphConv")},
    "learned activation": {"activation": nn.PReLU()},
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_buffers_equal_the_plain_twins(undirected: Graph, features: Any, case: str):
    """With dropout, norms, attention: gradients to 1e-10, running statistics and the random state as in the twin."""
    network = make_network(**CASES[case])
    twin = plain_twin(network)
    found = gradients(network, undirected, features(WIDTH))
    after = torch.get_rng_state()
    assert_equal(found, gradients(twin, undirected, features(WIDTH)))
    assert torch.equal(after, torch.get_rng_state())
    for (name, mine), (_, other) in zip(network.named_buffers(), twin.named_buffers(), strict=True):
        assert torch.equal(mine, other), name


def test_tied_parameters_get_the_sum_of_their_gradients(undirected: Graph, features: Any):
    """One matrix in every group, and one convolution in two blocks."""
    network = make_network(depth=3)
    first, second, third = (block.conv for block in network.blocks)
    first[1].weight = first[0].weight
    third[0] = second[0]
    twin = plain_twin(network)
    assert_equal(gradients(network, undirected, features(WIDTH)), gradients(twin, undirected, features(WIDTH)))


def test_frozen_parameters_get_no_gradient(undirected: Graph, features: Any):
    """Others do, also where the input needs none."""
    network = make_network()
    network.blocks[1].requires_grad_(False)
    found = gradients(network, undirected, features(WIDTH))
    assert not any(name.startswith("blocks.1.") for name in found)
    assert_equal(found, gradients(plain_twin(network), undirected, features(WIDTH)))
    network.zero_grad()
    network(undirected, features(WIDTH).detach()).square().sum().backward()
    assert network.blocks[0].conv[0].weight.grad is not None


@pytest.mark.parametrize("depth", [64, 512])
@pytest.mark.parametrize("norms", [[], [LayerNorm]])
def test_the_input_comes_back_through_hundreds_of_blocks(undirected: Graph, depth: int, norms: Any):
    """With float32 weights of ‖W‖_F = 0.5, ‖X_0 − inverse(X_L)‖_F stays below 1e-7 ‖X_0‖_F."""
    network = make_network(depth=depth, norms=norms).float()
    with torch.no_grad():
        for matrix in network.block_matrices().values():
            matrix.mul_(0.5 / matrix.norm())
        first = x = torch.randn(undirected.nodes, WIDTH, generator=torch.Generator().manual_seed(1)).double()
        for block in network.blocks:
            x = block(undirected, x)
    assert (x - first).norm() > 0.5 * first.norm()
    for block in reversed(network.blocks):
        x = block.inverse(undirected, x)
    assert (x - first).norm() < 1e-7 * first.norm()


@pytest.mark.parametrize(("norms", "depth", "growth"), [([], 96, 1e3), ([LayerNorm], 128, 4), ([BatchNorm], 128, 4)])
def test_gradients_survive_expansion(undirected: Graph, features: Any, norms: Any, depth: int, growth: float):
    """Where features grow with depth, so do errors of what is rebuilt; gradients are the plain twin's within 1e-5."""
    network = make_network(depth=depth, norms=norms).float()
    x = features(WIDTH).float()
    ours, theirs = (gradients(built, undirected, x) for built in (network, plain_twin(network)))
    for name, gradient in theirs.items():
        assert (ours[name] - gradient).norm() <= 1e-5 * gradient.norm(), name
    grown = network(undirected, x).detach().norm() / x.detach().norm()
    assert grown > growth, float(grown)


def test_only_the_first_input_and_the_last_output_are_kept(undirected: Graph, features: Any):
    """After the forward pass the storage of every representation in between is gone, and no node saves a feature."""
    network, saved, storages = make_network(depth=6, norms=[LayerNorm]), [], []
    for block in network.blocks:
        block.register_forward_hook(lambda block, inputs, y: storages.append(StorageWeakRef(y.untyped_storage())))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(tuple(t.shape)) or t, lambda t: t):
        y = network(undirected, features(WIDTH))
    assert [storage.expired() for storage in storages] == [True] * 5 + [False]
    assert undirected.nodes not in {shape[0] for shape in saved if shape}
    y.sum().backward()
    del y


def test_what_others_hold_stays_as_it_was(undirected: Graph, features: Any):
    """A probe that keeps every X_l and G_l finds the plain twin's, after the backward pass too."""
    network = make_network(norms=[LayerNorm])
    kept: dict[bool, tuple[list[Tensor], list[Tensor]]] = {}
    for reversible, built in ((True, network), (False, plain_twin(network))):
        outputs: list[Tensor] = []
        arrived: list[Tensor] = []

        def hook(block: nn.Module, inputs: Any, y: Tensor, outputs: Any = outputs, arrived: Any = arrived) -> None:
            outputs.append(y)
            y.register_hook(arrived.append)

        for block in built.blocks:
            block.register_forward_hook(hook)
        gradients(built, undirected, features(WIDTH))
        kept[reversible] = outputs, arrived
    assert len(kept[True][0]) == DEPTH  # the second run of the updates is not one of the blocks
    for mine, other in zip(kept[True], kept[False], strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)


def test_the_graph_can_be_gone_through_twice(undirected: Graph, features: Any):
    """With retain_graph the second pass gives the same; without it PyTorch's own error comes."""
    network = make_network(dropout=0.5, norms=[BatchNorm])
    x = features(WIDTH)
    loss = network(undirected, x).square().sum()
    one, two = (torch.autograd.grad(loss, [x, *network.parameters()], retain_graph=True) for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_two_passes_may_be_under_way_at_once(graph: Graph, undirected: Graph, features: Any):
    """Two losses of one network on two graphs, each taken back through its own graph, statistics and dropout."""
    network = make_network(norms=[BatchNorm], dropout=0.2, conv=GATConv)
    twin, found = plain_twin(network), {}
    for built in (network, twin):
        torch.manual_seed(5)
        xs = [factor * features(WIDTH).detach() for factor in (1, 2)]
        losses = [built(on, x.requires_grad_()).square().sum() for on, x in zip((graph, undirected), xs, strict=True)]
        found[built] = [torch.autograd.grad(loss, x)[0] for loss, x in zip(losses, xs, strict=True)]
    torch.testing.assert_close(found[network], found[twin], rtol=0, atol=1e-10)


def test_the_mode_at_the_forward_pass_counts(undirected: Graph, features: Any):
    """A switch to eval before the backward pass changes no gradient, and is there after it."""
    network = make_network(norms=[BatchNorm], dropout=0.5)
    expected = gradients(plain_twin(network), undirected, features(WIDTH))
    torch.manual_seed(5)
    x = features(WIDTH).detach().requires_grad_()
    y = network(undirected, x)
    network.eval()
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected["x"], rtol=0, atol=1e-10)
    assert not any(module.training for module in network.modules())


def test_without_gradients_nothing_is_kept(undirected: Graph, features: Any):
    """Under no_grad, in either mode, the output is the twin's and has no history."""
    network = make_network(norms=[BatchNorm]).eval()
    with torch.no_grad():
        y = network(undirected, features(WIDTH))
        assert y.grad_fn is None and torch.equal(y, plain_twin(network)(undirected, features(WIDTH)))
    network.requires_grad_(False)
    assert network(undirected, features(WIDTH).detach()).grad_fn is None


def test_gradients_of_gradients_are_refused(undirected: Graph, features: Any):
    """The error says so, and that reversible=false has them."""
    x = features(WIDTH)
    network = make_network()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using backward.. with create_graph")
        for run in (
            lambda: torch.autograd.grad(network(undirected, x).sum(), x, create_graph=True),
            lambda: network(undirected, x).sum().backward(create_graph=True),
        ):
            with pytest.raises(BuildError, match=r"gradients of gradients .* model.reversible=false"):
                run()
    torch.autograd.grad(plain_twin(network)(undirected, x).sum(), x, create_graph=True)


def test_a_loss_of_an_earlier_output(undirected: Graph, features: Any):
    """It works beside one of the last output, alone while the output is held, and else it is an error."""
    network = make_network()
    x = features(WIDTH)

    def outputs(built: Network) -> list[Tensor]:
        return built.blocks.run(undirected, x, None, True)

    def both(built: Network) -> Tensor:
        found = outputs(built)
        return torch.autograd.grad(found[1].square().sum() + found[-1].square().sum(), x)[0]

    torch.testing.assert_close(both(network), both(plain_twin(network)), rtol=0, atol=1e-10)
    held, expected = outputs(network), outputs(plain_twin(network))
    (early,) = torch.autograd.grad(held[1].square().sum(), x)
    torch.testing.assert_close(early, torch.autograd.grad(expected[1].square().sum(), x)[0], rtol=0, atol=1e-10)
    loss = outputs(network)[1].sum()
    with pytest.raises(BuildError, match="output is gone"):
        loss.backward()


@pytest.mark.parametrize("place", ["input", "output"])
def test_features_overwritten_before_the_backward_pass_are_noticed(undirected: Graph, features: Any, place: str):
    """Gradients would be wrong: it is an error, as it is for what PyTorch saves."""
    x = features(WIDTH) * 1
    y = make_network()(undirected, x)
    with torch.no_grad():
        (x if place == "input" else y).mul_(2)
    with pytest.raises(BuildError, match="overwritten"):
        y.sum().backward()


def test_something_between_the_blocks_costs_memory_only(undirected: Graph, features: Any):
    """A hook that changes a block's output, as some regularisers do, leaves the gradients right."""
    network = make_network()
    twin = plain_twin(network)
    for built in (network, twin):
        built.blocks[2].register_forward_hook(lambda block, inputs, y: 0.5 * y + 0.5 * inputs[1])
    assert_equal(gradients(network, undirected, features(WIDTH)), gradients(twin, undirected, features(WIDTH)))


def test_autocast_is_for_the_updates(undirected: Graph, features: Any):
    """bfloat16 inside them, float64 from block to block; in the backward pass again, outside of the context."""
    network = make_network(norms=[LayerNorm]).float()
    found = {}
    for built in (network, plain_twin(network)):
        x = features(WIDTH).float().detach().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = built(undirected, x.bfloat16())
        assert y.dtype == torch.float64
        assert not torch.equal(y, built(undirected, x.bfloat16()))  # without autocast
        y.square().sum().backward()
        found[built] = [x.grad, *(parameter.grad for parameter in built.parameters())]
    torch.testing.assert_close(*found.values(), rtol=1e-5, atol=1e-5)


def test_a_block_copies_and_saves_as_any_module(undirected: Graph, features: Any):
    """Deep copies are independent, and a state goes from a reversible to a plain block and back."""
    block: Any = make_block(norms=[BatchNorm], dropout=0.1).double()
    other: Any = copy.deepcopy(block)
    other.conv[0].weight.data.zero_()
    assert block.conv[0].weight.abs().sum() > 0
    fresh: Any = make_block(norms=[BatchNorm], reversible=False).double()
    fresh.load_state_dict(block.state_dict())
    torch.testing.assert_close(fresh.eval()(undirected, features(WIDTH)), block.eval()(undirected, features(WIDTH)))


def test_its_matrices_are_the_convs_of_every_group():
    """Weight normalisers find one matrix per group, and probes the way the convolutions propagate."""
    network = make_network(depth=1, norms=[LayerNorm], groups=3)
    assert set(network.block_matrices()) == {f"blocks.0.conv.{group}.weight" for group in range(3)}
    assert make_block(conv=GATConv).conv.propagation == "right"
    assert make_block(conv=MLPConv).conv.propagation is None
    assert make_block().conv.in_width == WIDTH // GROUPS


def test_what_cannot_be_inverted_is_refused(features: Any):
    """One group, an activation in place, a sampled graph."""
    with pytest.raises(BuildError, match="nearest: 2"):
        make_block(groups=1)
    with pytest.raises(BuildError, match="inplace"):
        make_block(activation=nn.ReLU(inplace=True))
    src, dst = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 0, 1, 1])
    sampled = Graph(dgl.create_block((src, dst), num_src_nodes=4, num_dst_nodes=2))
    with pytest.raises(BuildError, match="sampled"):
        make_block()(sampled, torch.randn(4, WIDTH))


def test_an_output_is_held_until_it_is_released():
    """Then its memory goes, unless somebody else holds it; without either, taking it is an error with the way out."""
    x = torch.ones(3)
    saved, storage = SavedOutput(x), StorageWeakRef(x.untyped_storage())
    assert torch.equal(saved.take(), torch.ones(3))
    saved.release()
    assert torch.equal(saved.take(), torch.ones(3))  # x is still there
    del x
    assert storage.expired()
    with pytest.raises(BuildError, match=r"output is gone.*model.reversible=false"):
        saved.take()


def test_what_was_recovered_is_taken_once():
    """The next operator recovers it; after that its own holder counts again."""
    saved = SavedOutput(torch.ones(3))
    saved.recovered = torch.zeros(3)
    assert torch.equal(saved.take(), torch.zeros(3))
    assert torch.equal(saved.take(), torch.ones(3))


def test_an_overwritten_output_is_refused():
    """Rather than to start from other numbers."""
    x = torch.ones(3)
    saved = SavedOutput(x)
    x.add_(1)
    with pytest.raises(BuildError, match="overwritten"):
        saved.take()


def test_only_reversible_operators_save_their_output():
    """Other nodes' results, and leaves, do not."""
    assert SavedOutput.of(torch.ones(1)) is None
    assert SavedOutput.of(torch.ones(1, requires_grad=True) * 2) is None
