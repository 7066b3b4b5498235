"""Decoders against their formulas, written densely in float64."""

import pytest
import torch
from torch.nn import functional as F

from registry import decoders
from zoo.layers.decoders import Bilinear, Dot, HadamardMLP

PAIRS, WIDTH = 9, 5


@pytest.fixture
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of each pair."""
    left, right = torch.randn(2, PAIRS, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return left, right


def test_dot_is_the_diagonal_of_the_gram_matrix(rows):
    """⟨x, y⟩ for each pair, without parameters."""
    left, right = rows
    assert torch.allclose(Dot(WIDTH)(left, right), (left @ right.T).diag())
    assert not list(Dot(WIDTH).parameters())


def test_bilinear_tells_directions_apart(rows):
    """Return xᵀ W y, for each pair, as the dense product has it; turned round it is another number."""
    left, right = rows
    decoder = Bilinear(WIDTH).double()
    assert torch.allclose(decoder(left, right), (left @ decoder.weight @ right.T).diag())
    assert not torch.allclose(decoder(left, right), decoder(right, left))


def test_hadamard_mlp_is_the_mlp_of_the_product(rows):
    """Three layers by hand, and the same in both directions."""
    left, right = rows
    decoder = HadamardMLP(WIDTH, layers=3, hidden=7).double().eval()
    x = left * right
    for place, layer in enumerate(decoder.layers):
        weight, bias = layer.weight.detach(), layer.bias.detach()  # pyright: ignore
        x = F.linear(x.clamp(min=0) if place else x, weight.T, bias)  # pyright: ignore
    assert torch.allclose(decoder(left, right), x[:, 0])
    assert torch.equal(decoder(left, right), decoder(right, left))
    assert [tuple(layer.weight.shape) for layer in decoder.layers] == [(5, 7), (7, 7), (7, 1)]  # pyright: ignore


def test_one_layer_is_a_weighted_dot_product(rows):
    """Without a hidden layer there is nothing but weights for the coordinates."""
    left, right = rows
    decoder = HadamardMLP(WIDTH, layers=1).double()
    weight = decoder.layers[0].weight  # pyright: ignore
    assert torch.allclose(decoder(left, right), (left * right) @ weight[:, 0])  # pyright: ignore


def test_dropout_acts_between_layers_while_training(rows):
    """It changes what training sees, and nothing in evaluation."""
    left, right = rows
    torch.manual_seed(0)
    decoder = HadamardMLP(WIDTH, dropout=0.5).double()
    assert not torch.equal(decoder(left, right), decoder(left, right))
    decoder.eval()
    assert torch.equal(decoder(left, right), decoder(left, right))


@pytest.mark.parametrize("name", decoders.names())
def test_every_decoder_learns_from_both_ends(name, rows):
    """One logit for each pair, gradients to both rows and to every parameter; no pairs are no error."""
    left, right = (side.clone().requires_grad_() for side in rows)
    decoder = decoders.get(name)(WIDTH).double()
    logits = decoder(left, right)
    assert logits.shape == (PAIRS,)
    logits.sum().backward()
    assert all(x.grad is not None and x.grad.any() for x in (left, right, *decoder.parameters()))
    assert decoder(left[:0], right[:0]).shape == (0,)
