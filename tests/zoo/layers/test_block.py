"""A block is its parts one after the other, whichever way it is run (see also tests/zoo/engine/test_lowering.py)."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.engine.sparse_input import mark_sparse, skips_zeros
from zoo.graphs.graph import Graph
from zoo.layers.block import Block, Dropout, apply_norms
from zoo.layers.gcn import GCNConv
from zoo.layers.residual import AddSkip
from zoo.normalizers.standard import LayerNorm


@pytest.fixture
def graph():
    src, dst = torch.randint(0, 20, (2, 60), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, 20)


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
def test_parts_with_a_mind_of_their_own_are_called(graph, parts):
    """A forward that a class overrides, another activation and a norm in between are not passed over."""
    block = Block(**{"conv": GCNConv(6, 6), "residual": AddSkip(), "activation": nn.ReLU(), **parts})
    x = torch.randn(20, 6)
    update = block.conv(graph, x)
    for norm in block.norms:
        update = norm(graph, update)
    torch.testing.assert_close(block(graph, x), block.residual(x, block.activation(update), None))


@pytest.mark.parametrize("part", ["conv", "activation", "residual"])
def test_hooks_on_parts_hear(graph, part):
    """Who listens to a part of the block hears it, and the block says the same."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU())
    x, heard = torch.randn(20, 6), []
    expected = block(graph, x)
    getattr(block, part).register_forward_hook(lambda *arguments: heard.append(arguments))
    torch.testing.assert_close(block(graph, x), expected)
    assert len(heard) == 1


@pytest.mark.parametrize("position", ["pre", "post"])
def test_norms_before_and_after_leave_it_one(graph, position):
    """A norm before the convolution or after the residual does not stand in between."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU(), norms=[LayerNorm(6)], norm_position=position)
    x = torch.randn(20, 6)
    (norm,) = block.norms
    inner = norm(graph, x) if position == "pre" else x
    expected = x + torch.relu(block.conv(graph, inner))
    torch.testing.assert_close(block(graph, x), norm(graph, expected) if position == "post" else expected)


def test_dropout_keeps_the_skip_whole(graph):
    """The convolution reads dropped features, and what is skipped is the input itself."""
    block = Block(GCNConv(6, 6), residual=AddSkip(), activation=nn.ReLU(), dropout=0.5)
    x = torch.randn(20, 6)
    torch.manual_seed(3)
    y = block(graph, x)
    torch.manual_seed(3)
    dropped = nn.functional.dropout(x, 0.5)
    torch.testing.assert_close(y, x + torch.relu(block.conv(graph, dropped)))


def test_of_dense_features_it_is_pytorchs():
    """Same random numbers, same result; nothing happens in evaluation."""
    x = torch.randn(6, 5)
    found, wanted = [], []
    for module, out in ((Dropout(0.5), found), (nn.Dropout(0.5), wanted)):
        torch.manual_seed(0)
        out += [module(x), module.eval()(x)]
    assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
    assert found[1] is x


def test_of_sparse_features_it_draws_for_the_entries():
    """The result is known as sparse, and the random numbers are as many as the entries."""
    x = torch.zeros(600, 500)
    x.view(-1)[::100] = 1
    mark_sparse(x)
    torch.manual_seed(0)
    y = Dropout(0.5)(x)
    torch.manual_seed(0)
    assert skips_zeros(y)
    assert torch.equal(y.view(-1)[::100], nn.functional.dropout(torch.ones(3000), 0.5))
    assert Dropout(0.5).eval()(x) is x and Dropout(0.0)(x) is x


def test_norms_act_in_order_and_get_what_they_read(graph: Any):
    """First to last; one that reads the block's input is handed it, the others are not."""

    class Plus(nn.Module):
        def forward(self, graph: Any, x: Tensor) -> Tensor:
            """Add one."""
            return x + 1

    class TimesInput(nn.Module):
        reads_input = True

        def forward(self, graph: Any, x: Tensor, before: Tensor) -> Tensor:
            """Multiply by the input."""
            return x * before

    x, before = torch.ones(2, 1), torch.full((2, 1), 5.0)
    assert torch.equal(apply_norms([Plus(), TimesInput(), Plus()], graph, x, before), torch.full((2, 1), 11.0))
    assert apply_norms([], graph, x, before) is x
