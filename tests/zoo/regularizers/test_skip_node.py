"""SkipNode: rows that stand still, by the formula, in training only."""

from typing import Any

import pytest
import torch

import zoo
from zoo.regularizers.skip_node import SkipNode


@pytest.mark.parametrize("sampling", ["uniform", "biased"])
def test_rows_are_old_or_new(graph, x, sampling):
    """⌊ρn⌋ rows are the input's, the others the block's; nothing is written into, and gradients go both ways."""
    before, after = x.clone().requires_grad_(), (x + 1).requires_grad_()
    mixed = SkipNode(rate=0.65, sampling=sampling).mix(graph, before, after)
    old = (mixed == before).all(dim=1)
    assert old.sum() == int(0.65 * len(x))
    assert torch.equal(mixed[~old], after[~old])
    mixed.sum().backward()
    assert torch.equal(before.grad, old[:, None].expand_as(x).double())
    assert torch.equal(after.grad, (~old)[:, None].expand_as(x).double())
    assert torch.equal(before, x) and torch.equal(after, x + 1)


def test_uniform_sampling_skips_each_node_equally_often(graph, x):
    """Over 4,000 draws each node is skipped within five standard deviations of ⌊ρn⌋/n."""
    torch.manual_seed(0)
    draws, rate = 4000, int(0.5 * len(x)) / len(x)
    skip = SkipNode(rate=0.5)
    share: Any = sum((skip.mix(graph, x, x + 1) == x).all(dim=1).double() for _ in range(draws)) / draws
    assert (share - rate).abs().max() < 5 * (rate * (1 - rate) / draws) ** 0.5


def test_biased_sampling_follows_the_degrees(graph, x):
    """One node drawn at a time is node i with probability d_i/Σd; a node without neighbours never is."""
    torch.manual_seed(0)
    draws = 6000
    skip = SkipNode(rate=1.5 / len(x), sampling="biased")
    share: Any = sum((skip.mix(graph, x, x + 1) == x).all(dim=1).double() for _ in range(draws)) / draws
    off_loops = graph.structure.src != graph.structure.dst
    degree = torch.bincount(graph.structure.dst[off_loops].long(), minlength=graph.nodes).double()
    expected = degree / degree.sum()
    assert ((share - expected).abs() <= 5 * (expected * (1 - expected) / draws).sqrt()).all()
    assert share[7] == 0


def test_a_network_mixes_by_the_formula():
    """X_l = P X_{l−1} + (I − P) f_l(X_{l−1}), with the masks that the seed gives, block by block."""
    built = zoo.build("smoke/res-gcn", {"normalizer": "none", "regularizer": {"name": "skip-node", "rate": 0.5}})
    network: Any = built.network.double().train()
    features = built.data.features.double()
    seen: list = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.manual_seed(5)
    network(built.graph, features)
    torch.manual_seed(5)
    x = network.encoder(features)
    for block, found in zip(network.blocks, seen, strict=True):
        skipped = torch.zeros(len(x), 1, dtype=torch.float64)
        skipped[torch.randperm(len(x))[: len(x) // 2]] = 1
        x = skipped * x + (1 - skipped) * block.forward(built.graph, x)
        torch.testing.assert_close(found, x, rtol=0, atol=1e-12)


def test_blocks_that_change_the_width_skip_nothing():
    """With `ends: conv` the first and the last block run for every node; those between skip."""
    changes = {"model.ends": "conv", "regularizer": {"name": "skip-node", "rate": 0.5}}
    built = zoo.build("smoke/gcn", {**changes, "model.dropout": 0.0, "model.width": 8})
    network: Any = built.network.train()
    pairs: list = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, output: pairs.append((module, inputs, output)))
    network(built.graph, built.data.features)
    same = [torch.equal(output, module.forward(*inputs)) for module, inputs, output in pairs]
    assert same == [True, False, False, True]
