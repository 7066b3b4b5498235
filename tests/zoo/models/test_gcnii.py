"""GCNII: the whole network against PyG's convolutions, and what its recipe asks for."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.graphs import Graph
from zoo.models.gcnii import GCNII

gcnii = partial(GCNII, activation=nn.ReLU, width=4)


@pytest.mark.parametrize("variant", [False, True])
def test_the_network_is_pygs_layers_in_a_row(graph: Graph, edge_index: Tensor, x: Tensor, pyg: Any, variant: bool):
    """Linear maps and GCN2Conv with the published β_l, block after block, to 1e-12; so are all gradients."""
    network: Any = gcnii(5, 3, [], depth=6, alpha=0.2, theta=0.7, variant=variant).double().eval()
    first = h = torch.relu(network.encoder.linear(x))
    pairs = []
    for place, block in enumerate(network.blocks, start=1):
        conv = pyg.GCN2Conv(4, 0.2, theta=0.7, layer=place, shared_weights=not variant, add_self_loops=False).double()
        ours = [block.conv.weight, *([block.conv.initial_weight] if variant else [])]
        for mine, theirs in zip(ours, conv.parameters(), strict=True):
            theirs.data.copy_(mine.data)
            pairs.append((mine, theirs))
        h = torch.relu(conv(h, first, edge_index))
    expected, got = network.head.linear(h), network(graph, x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    wanted = torch.autograd.grad(expected.square().sum(), [theirs for _, theirs in pairs])
    for mine, other in zip(torch.autograd.grad(got.square().sum(), [mine for mine, _ in pairs]), wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)


def test_defaults_are_the_authors_for_cora():
    """64 blocks of 64, α 0.1, λ 0.5, dropout 0.6, and no bias in the blocks."""
    network: Any = GCNII(5, 3, [], activation=nn.ReLU)
    assert len(network.blocks) == len(network.block_matrices()) == 64
    assert [tuple(p.shape) for p in network.blocks.parameters()] == [(64, 64)] * 64
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.6}
    assert network.blocks[0].conv.alpha == 0.1
    assert network.blocks[63].conv.beta == pytest.approx(0.0078, abs=1e-4)


def test_the_recipe_decays_blocks_and_ends_apart(zoo_data):
    """recipes/cora-gcnii has the two weight decays of the authors' code, and 64 blocks that stay finite."""
    built = zoo.build("cora-gcnii")
    decays = {group["name"]: (group["weight_decay"], len(group["params"])) for group in built.optimizer.param_groups}
    assert decays == {"all others": (5e-4, 4), "blocks": (0.01, 64)}
    assert torch.isfinite(built.network(built.graph, built.data.features)).all()
