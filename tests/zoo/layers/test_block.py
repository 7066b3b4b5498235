"""A block runs its parts as one where it may, and as they stand where somebody looks or something else is asked."""

import pytest
import torch
from torch import nn

from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.gat import GATConv, GATv2Conv
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import AddSkip, InitialSkip, NoSkip
from zoo.layers.sage import SAGEConv
from zoo.normalizers.standard import LayerNorm


@pytest.fixture
def graph():
    src, dst = torch.randint(0, 20, (2, 60), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, 20)


@pytest.fixture
def as_one(monkeypatch):
    """How often the one operator was taken."""
    calls, real = [], Block._as_one

    def counted(*arguments):
        output = real(*arguments)
        calls.extend([] if output is None else [output])
        return output

    monkeypatch.setattr(Block, "_as_one", counted)
    return calls


def by_hand(block, graph, x, first=None):
    """What a block is, its parts called one after the other."""
    return block.residual(x, block.activation(block.conv(graph, x)), first)


@pytest.mark.parametrize("conv", [GCNConv, SAGEConv, GATConv, GATv2Conv])
@pytest.mark.parametrize("residual", [AddSkip(), NoSkip(), InitialSkip(alpha=0.2)], ids=repr)
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.1), None], ids=repr)
def test_as_one_it_says_the_same(graph, as_one, conv, residual, activation):
    """Value and gradients are those of the parts one after the other."""
    torch.manual_seed(0)
    block = Block(conv(6, 6), residual=residual, activation=activation)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x, first = torch.randn(20, 6, requires_grad=True), torch.randn(20, 6, requires_grad=True)
    y, expected = block(graph, x, first), by_hand(block, graph, x, first)
    assert len(as_one) == 1
    torch.testing.assert_close(y, expected)
    leaves = [x, first, *block.parameters()]
    for one, other in zip(
        torch.autograd.grad(y.square().sum(), leaves, allow_unused=True),
        torch.autograd.grad(expected.square().sum(), leaves, allow_unused=True),
        strict=True,
    ):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


class Doubled(AddSkip):
    def forward(self, x, update, first):
        return x + 2 * update


class Shifted(GCNConv):
    def forward(self, graph, x):
        return super().forward(graph, x) + 1


@pytest.mark.parametrize(
    "parts",
    [
        {"residual": Doubled()},
        {"conv": Shifted(6, 6)},
        {"activation": nn.Tanh()},
        {"norms": [LayerNorm(6)]},
    ],
    ids=["residual", "conv", "activation", "norm"],
)
def test_parts_with_a_mind_of_their_own_are_called(graph, as_one, parts):
    """A forward that a class overrides, another activation and a norm in between are not passed over."""
    block = Block(**{"conv": GCNConv(6, 6), "residual": AddSkip(), "activation": nn.ReLU(), **parts})
    x = torch.randn(20, 6)
    update = block.conv(graph, x)
    for norm in block.norms:
        update = norm(graph, update)
    torch.testing.assert_close(block(graph, x), block.residual(x, block.activation(update), None))
    assert not as_one


@pytest.mark.parametrize("part", ["conv", "activation", "residual"])
def test_hooks_on_parts_hear(graph, as_one, part):
    """Who listens to a part of the block hears it, and the block says the same."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU())
    x, heard = torch.randn(20, 6), []
    expected = block(graph, x)
    getattr(block, part).register_forward_hook(lambda *arguments: heard.append(arguments))
    torch.testing.assert_close(block(graph, x), expected)
    assert len(heard) == 1 and len(as_one) == 1


@pytest.mark.parametrize("position", ["pre", "post"])
def test_norms_before_and_after_leave_it_one(graph, as_one, position):
    """A norm before the convolution or after the residual does not stand in between."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU(), norms=[LayerNorm(6)], norm_position=position)
    x = torch.randn(20, 6)
    (norm,) = block.norms
    inner = norm(graph, x) if position == "pre" else x
    expected = x + torch.relu(block.conv(graph, inner))
    torch.testing.assert_close(block(graph, x), norm(graph, expected) if position == "post" else expected)
    assert len(as_one) == 1


def test_dropout_keeps_the_skip_whole(graph):
    """The convolution reads dropped features, and what is skipped is the input itself."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU(), dropout=0.5)
    x = torch.randn(20, 6)
    torch.manual_seed(3)
    y = block(graph, x)
    torch.manual_seed(3)
    dropped = nn.functional.dropout(x, 0.5)
    torch.testing.assert_close(y, x + torch.relu(block.conv(graph, dropped)))
