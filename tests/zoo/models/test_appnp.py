"""APPNP against PyG's, and what a network without weights in its blocks says to a normaliser of weights."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.models.appnp import APPNP

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
