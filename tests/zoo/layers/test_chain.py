"""Blocks that run as one operator, and all that brings single blocks back."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.layers.block import Block
from zoo.layers.chain import chained
from zoo.layers.gat import GATConv
from zoo.layers.gcn import GCNConv
from zoo.layers.network import Network
from zoo.layers.residual import AddSkip, InitialSkip, NoSkip
from zoo.layers.sage import SAGEConv
from zoo.normalizers.standard import LayerNorm

WIDTH = 6


class OwnForward(GCNConv):
    """Somebody's own."""

    def forward(self, graph, x):
        return super().forward(graph, x) * 2


class OwnFused(GCNConv):
    """Somebody's own, called by another name."""

    def fused(self, graph, x, skip, epilogue):
        return super().fused(graph, x, skip, epilogue) * 2


class OwnBlock(Block):
    """A block of somebody's."""


@pytest.fixture
def graph():
    src, dst = torch.randint(0, 20, (2, 60), generator=torch.Generator().manual_seed(0))
    return Graph.from_edges(src, dst, 20)


@pytest.fixture
def x():
    return torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(1))


def block(conv: Any = GCNConv, kind=Block, **options):
    options = {"residual": AddSkip(), "activation": nn.ReLU(), **options}
    return kind(conv(WIDTH, WIDTH), **options)


def network(blocks):
    return Network(nn.Identity(), blocks, nn.Identity())


def results(built, graph, x):
    """Output and gradients, and the operators that the output comes from, the last first."""
    y = built(graph, x)
    gradients = torch.autograd.grad(y.square().sum(), list(built.parameters()), retain_graph=True)
    operators, node = [], y.grad_fn
    while node is not None:
        operators.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    return [y, *gradients], operators


@pytest.mark.parametrize("conv", [GCNConv, SAGEConv])
@pytest.mark.parametrize("residual", [AddSkip(), NoSkip()], ids=repr)
def test_a_network_runs_in_chains_and_says_the_same(graph, x, conv, residual):
    """Forty blocks are three operators; hooks on all bring forty back, and not a bit changes."""
    torch.manual_seed(0)
    built = network([block(conv, residual=residual) for _ in range(40)])
    together, operators = results(built, graph, x)
    assert sum("_Chain" in name for name in operators) == 3
    hooks = [each.register_forward_hook(lambda *_: None) for each in built.blocks]
    apart, operators = results(built, graph, x)
    assert sum("_Chain" in name for name in operators) == 0
    assert sum("_AffineBlock" in name for name in operators) == 40
    assert all(map(torch.equal, together, apart))
    for hook in hooks:
        hook.remove()
    assert sum("_Chain" in name for name in results(built, graph, x)[1]) == 3


@pytest.mark.parametrize(
    "odd",
    [
        lambda: block(GATConv),
        lambda: block(OwnForward),
        lambda: block(OwnFused),
        lambda: block(kind=OwnBlock),
        lambda: block(activation=nn.Tanh()),
        lambda: block(residual=InitialSkip(alpha=0.1)),
        lambda: block(norms=[LayerNorm(WIDTH)]),
        lambda: block(dropout=0.5),
    ],
    ids=["attention", "forward", "fused", "block", "activation", "residual", "norm", "dropout"],
)
def test_other_blocks_end_a_chain(graph, x, odd):
    """What is before them is one operator, they are themselves, and then a chain begins again."""
    torch.manual_seed(0)
    blocks = [block(), block(), odd(), block(), block()]
    assert chained(blocks, graph, x)[1] == 2
    assert chained(blocks[1:], graph, x) == (x, 0)  # a chain of one is none
    assert chained(blocks[2:], graph, x) == (x, 0)
    assert chained(blocks[3:], graph, x)[1] == 2


def test_dropout_that_drops_nothing_is_no_hindrance(graph, x):
    """In evaluation blocks with dropout are chained."""
    assert chained([block(dropout=0.5).eval() for _ in range(3)], graph, x)[1] == 3


@pytest.mark.parametrize("part", ["", "conv", "activation", "residual", "dropout"])
def test_a_listener_is_heard(graph, x, part):
    """A hook on a block or one of its parts is called, as the block is then run by itself."""
    blocks, heard = [block() for _ in range(3)], []
    blocks[1].get_submodule(part).register_forward_hook(lambda *_: heard.append(part))
    assert chained(blocks, graph, x) == (x, 0)
    network(blocks)(graph, x)
    assert heard == [part]


@pytest.mark.parametrize("part", ["", "conv", "activation"])
def test_an_objects_own_forward_is_called(graph, x, part):
    """What somebody puts in place of one object's `forward` is what runs, in that block alone."""
    blocks, called = [block() for _ in range(3)], []
    module = blocks[1].get_submodule(part)
    plain = module.forward

    def own(*arguments):
        called.append(part)
        return plain(*arguments)

    module.forward = own
    network(blocks)(graph, x)
    assert called == [part]


def test_a_listener_to_all_modules_is_heard(graph, x):
    """PyTorch's global hooks hear each block."""
    blocks, heard = [block() for _ in range(3)], []
    hook = register_module_forward_hook(lambda module, *_: heard.append(module) if type(module) is Block else None)
    try:
        network(blocks)(graph, x)
    finally:
        hook.remove()
    assert heard == blocks


def test_sampled_blocks_are_not_chained(graph, x):
    """Each of them has a graph of its own."""
    assert chained([block(), block()], BlockGraphs([graph, graph]), x) == (x, 0)


def test_shared_blocks_are_not_chained(graph, x):
    """The gradients of one block in several places are summed in the order that they always were."""
    shared = block()
    assert chained([shared, shared], graph, x) == (x, 0)
