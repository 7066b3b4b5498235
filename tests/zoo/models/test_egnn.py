"""EGNN: the network in closed form, its penalty, and its bounds on the options."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.errors import BuildError
from zoo.graphs import Graph
from zoo.models.egnn import EGNN

egnn = partial(EGNN, width=4, depth=3)


def test_the_network_in_closed_form(graph: Graph, dense: Tensor, x: Tensor):
    """Written out densely in float64, with matrices away from their start and shifts that cut."""
    network: Any = egnn(5, 3, [], c_min=0.3, beta=0.1, shift=-0.1).double().eval()
    for block in network.blocks:
        nn.init.normal_(block.conv.weight)
    first = h = torch.relu(network.encoder.linear(x))
    for block in network.blocks:
        h = (0.7 * dense @ h + 0.2 * h + 0.1 * first) @ block.conv.weight
        h = torch.maximum(h, block.activation.shift)
    torch.testing.assert_close(network(graph, x), network.head.linear(h), rtol=0, atol=1e-12)


def test_matrices_start_where_the_penalty_is_0():
    """W_1 at √c_max·I, all others at I: then nothing is penalised, and the gradient of the penalty is finite."""
    network: Any = egnn(5, 3, [], c_max=1.44)
    expected = [1.2 * torch.eye(4), torch.eye(4), torch.eye(4)]
    for matrix, start in zip(network.block_matrices().values(), expected, strict=True):
        torch.testing.assert_close(matrix.data, start)
    total = torch.stack([block.conv.penalty() for block in network.blocks]).sum()
    total.backward()
    assert float(total.detach()) == pytest.approx(0, abs=1e-6)
    assert all(torch.isfinite(matrix.grad).all() for matrix in network.block_matrices().values())


def test_options_reach_their_places():
    """Dropout before the last linear map, the shift and the penalty's weight are what was asked for."""
    network: Any = egnn(5, 3, [], dropout=0.25, output_dropout=0.75, shift=-2, penalty=5)
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.25] * 4 + [0.75]
    assert all((block.activation.shift == -2).all() and block.conv.penalty_weight == 5 for block in network.blocks)


def test_beta_is_at_most_c_min():
    """A share of the input below 0 is refused, with what would do."""
    with pytest.raises(BuildError, match=r"model\.beta .* c_min .* beta=0\.05"):
        egnn(5, 3, [], c_min=0.05)


def test_the_recipes_blocks_decay_less_than_its_ends(zoo_data):
    """recipes/cora-egnn gives 5e-4 to the ends and the authors' 1e-4 to the shifts."""
    groups = zoo.build("cora-egnn").optimizer.param_groups
    assert {group["name"]: group["weight_decay"] for group in groups} == {"all others": 5e-4, "blocks": 1e-4}
