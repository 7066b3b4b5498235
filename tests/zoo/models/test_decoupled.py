"""SGC against PyG's."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.models.decoupled import APPNP, DAGNN, SGC


def test_sgc_is_pygs(graph: Graph, edge_index: Tensor, x: Tensor, pyg: Any):
    """Propagating class scores gives what classifying propagated features does, with all gradients, to 1e-12."""
    network: Any = SGC(5, 3, [], depth=3).double()
    theirs = pyg.SGConv(5, 3, K=3, add_self_loops=False).double()
    nn.init.normal_(network.head.bias)
    theirs.lin.weight.data.copy_(network.encoder.linear.weight.data.T)
    theirs.lin.bias.data.copy_(network.head.bias.data)
    got, expected = network(graph, x), theirs(x, edge_index)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad(got.square().sum(), [network.encoder.linear.weight, network.head.bias])
    wanted = torch.autograd.grad(expected.square().sum(), [theirs.lin.weight, theirs.lin.bias])
    torch.testing.assert_close(ours[0], wanted[0].T, rtol=0, atol=1e-11)
    torch.testing.assert_close(ours[1], wanted[1], rtol=0, atol=1e-11)


def test_a_linear_classifier_is_all_there_is():
    """One matrix and one bias, whatever the depth."""
    assert sum(p.numel() for p in SGC(5, 3, [], depth=9).parameters()) == 5 * 3 + 3


appnp = partial(APPNP, activation=nn.ReLU, width=4)


def test_propagation_is_pygs(graph: Graph, edge_index: Tensor, x: Tensor, pyg: Any):
    """The MLP's output through PyG's APPNP gives the same logits, to 1e-12."""
    network: Any = appnp(5, 3, [], depth=7, alpha=0.2).double().eval()
    mlp = network.encoder
    scores = mlp.output.linear(torch.relu(mlp.hidden.linear(x)))
    expected = pyg.APPNP(7, 0.2, add_self_loops=False)(scores, edge_index)
    torch.testing.assert_close(network(graph, x), expected, rtol=0, atol=1e-12)


def test_many_steps_reach_personalised_pagerank(graph: Graph, dense: Tensor, x: Tensor):
    """The limit is α (I − (1−α)Â)^(−1) X_0."""
    network: Any = appnp(5, 3, [], depth=400, alpha=0.1).double().eval()
    limit = torch.linalg.solve(torch.eye(8, dtype=torch.float64) - 0.9 * dense, 0.1 * network.encoder(x))
    torch.testing.assert_close(network(graph, x), limit, rtol=0, atol=1e-12)


def test_blocks_are_steps_without_weights():
    """Depth counts propagation steps, and only the MLP has parameters."""
    network = appnp(5, 3, [])
    assert len(network.blocks) == 10 and not list(network.blocks.parameters())
    assert not network.block_matrices()


@pytest.mark.parametrize("recipe", ["smoke/appnp", "smoke/sgc", "smoke/dagnn"])
def test_a_weight_normaliser_has_nothing_to_do(recipe: str):
    """Models that only propagate refuse one, and say what would do."""
    with pytest.raises(BuildError, match=r"no weight matrix inside its blocks .* normalizer=none"):
        zoo.build(recipe, {"normalizer": "frobenius"})


@pytest.mark.parametrize("recipe", ["smoke/appnp", "smoke/sgc", "smoke/dagnn"])
def test_probes_read_blocks_without_weights(recipe: str, tmp_path):
    """The deepest set of probes runs, feature norms act, and gradients are there at every block."""
    run = zoo.train(recipe, {"probes": "deep", "normalizer": "layer", "training.duration": 2}, runs=tmp_path)
    assert run.status == "finished"
    built = zoo.build(recipe)
    assert (built.initial["gradients.norm"] > 0).all() and len(built.initial["gradients.norm"]) == len(
        built.network.blocks
    )


dagnn = partial(DAGNN, activation=nn.ReLU, width=4)


def test_the_network_in_closed_form(graph: Graph, dense: Tensor, x: Tensor):
    """Powers of a dense Â, gated node by node from X_0 on, in float64, with all gradients."""
    network: Any = dagnn(5, 3, [], depth=4).double().eval()
    gate, mlp = network.readout.gate, network.encoder
    nn.init.normal_(gate.bias)
    scores = torch.relu(x @ mlp.hidden.linear.weight + mlp.hidden.linear.bias)
    scores = scores @ mlp.output.linear.weight + mlp.output.linear.bias
    steps = [torch.linalg.matrix_power(dense, power) @ scores for power in range(5)]
    expected = torch.stack([torch.sigmoid(step @ gate.weight + gate.bias) * step for step in steps]).sum(0)
    got = network(graph, x)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    parameters = list(network.parameters())
    wanted = torch.autograd.grad(expected.square().sum(), parameters)
    for mine, other in zip(torch.autograd.grad(got.square().sum(), parameters), wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-11)


def test_the_gate_is_the_only_weight_after_the_mlp():
    """Ten steps, dropout 0.8, and a gate of one column."""
    network = dagnn(5, 3, [])
    assert len(network.blocks) == 10 and not list(network.blocks.parameters())
    assert sum(p.numel() for p in network.readout.parameters()) == 3 + 1
    assert {module.p for module in network.encoder.modules() if isinstance(module, nn.Dropout)} == {0.8}
