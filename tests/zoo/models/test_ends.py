"""What stands before and after the blocks, in closed form."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.graphs import Graph
from zoo.layers.residual import InitialSkip, NoSkip
from zoo.models.ends import linear_end, perceptron, steps


def test_a_linear_end_is_its_formula(x: Tensor):
    """Linear map, then the activation if there is one; the bias can be left out."""
    end: Any = linear_end(5, 3, dropout=0.5, activation=nn.Tanh()).double().eval()
    torch.testing.assert_close(end(x), torch.tanh(x @ end.linear.weight + end.linear.bias))
    bare: Any = linear_end(5, 3, dropout=0.5, bias=False).double().eval()
    assert [name for name, _ in bare.named_parameters()] == ["linear.weight"]
    torch.testing.assert_close(bare(x), x @ bare.linear.weight)


def test_a_perceptron_is_its_formula(x: Tensor):
    """Two linear maps with the activation between them."""
    mlp: Any = perceptron(5, 4, 3, dropout=0.5, activation=nn.ReLU()).double().eval()
    hidden = torch.relu(x @ mlp.hidden.linear.weight + mlp.hidden.linear.bias)
    torch.testing.assert_close(mlp(x), hidden @ mlp.output.linear.weight + mlp.output.linear.bias)


@pytest.mark.parametrize(
    "module", [linear_end(5, 5, dropout=0.25), perceptron(5, 5, 5, dropout=0.25, activation=nn.ReLU())]
)
def test_dropout_comes_first(module: nn.Module):
    """Every linear map has the dropout before it."""
    kinds = [
        type(part).__name__
        for part in module.modules()
        if isinstance(part, nn.Dropout | nn.ReLU) or hasattr(part, "weight")
    ]
    assert kinds in (["Dropout", "Linear"], ["Dropout", "Linear", "ReLU", "Dropout", "Linear"])
    assert all(part.p == 0.25 for part in module.modules() if isinstance(part, nn.Dropout))


def test_each_step_propagates_mixes_and_normalises():
    """Dense float64: X_l = 2·((1−α) Â X_{l−1} + α X_0) with a norm that doubles; no step has a parameter."""
    ring = torch.arange(5)
    after = (ring + 1) % 5
    graph = Graph.from_edges(torch.cat([ring, ring, after]), torch.cat([ring, after, ring]), 5)

    class Twice(nn.Module):
        def forward(self, graph: Graph, x: torch.Tensor) -> torch.Tensor:
            """Double it."""
            return 2 * x

    dense = torch.zeros(5, 5, dtype=torch.float64)
    for shift in (0, 1, -1):
        dense += torch.roll(torch.eye(5, dtype=torch.float64), shift, 0) / 3
    first = torch.randn(5, 2, dtype=torch.float64)
    for residual, alpha in ((NoSkip, 0.0), (lambda: InitialSkip(alpha=0.3), 0.3)):
        blocks = steps(3, 2, [lambda _: Twice()], residual)
        x = expected = first
        for block in blocks:
            x = block(graph, x, first)
            expected = 2 * ((1 - alpha) * dense @ expected + alpha * first)
        torch.testing.assert_close(x, expected)
        assert not [parameter for block in blocks for parameter in block.parameters()]
