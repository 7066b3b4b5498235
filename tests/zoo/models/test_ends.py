"""What stands before and after the blocks, in closed form."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.models.ends import linear_end, perceptron


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
