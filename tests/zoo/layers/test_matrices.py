"""Where weight matrices stand, and what stands in for them."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call

from zoo.layers.conv import weight_matrices
from zoo.layers.matrices import BlockMatrices


class Conv(nn.Module):
    """Two matrices, one of them deeper inside, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 2))
        self.parts = nn.ModuleList([nn.Linear(2, 2)])

    def forward(self, x):
        """Both maps, one after the other."""
        return self.parts[0](x @ self.weight)


class Block(nn.Module):
    """A convolution, and a linear map that is no part of it."""

    def __init__(self, conv: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = Conv() if conv is None else conv
        self.other = nn.Linear(2, 2)

    def forward(self, x):
        """One after the other."""
        return self.other(self.conv(x))


def listed(blocks: list[nn.Module]) -> Any:
    return nn.ModuleList(blocks)


def names(*blocks: int) -> list[str]:
    return [f"blocks.{block}.conv.{name}" for block in blocks for name in ("weight", "parts.0.weight")]


def walked(blocks: Any) -> dict[str, int]:
    """The matrices by a walk over all convolutions."""
    return {
        name: id(matrix)
        for index, block in enumerate(blocks)
        for name, matrix in weight_matrices(block.conv, f"blocks.{index}.conv")
    }


def identities(found: dict[str, torch.Tensor]) -> dict[str, int]:
    return {name: id(matrix) for name, matrix in found.items()}


def test_matrices_are_named_by_their_place():
    """They are what a walk over the convolutions finds, in its order, at the first call and later."""
    blocks, matrices = listed([Block(), nn.Identity(), Block()]), BlockMatrices()
    for _ in range(2):
        assert list(matrices.of(blocks)) == names(0, 2)
        assert matrices.of(blocks)["blocks.2.conv.weight"] is blocks[2].conv.weight


def _parameter(blocks: Any) -> None:
    blocks[0].conv.weight = nn.Parameter(torch.ones(2, 2))


def _conv(blocks: Any) -> None:
    blocks[1].conv = nn.Linear(2, 2)


def _deep(blocks: Any) -> None:
    blocks[1].conv.parts.append(nn.Linear(2, 2))


def _block(blocks: Any) -> None:
    blocks.insert(0, Block())


def _gone(blocks: Any) -> None:
    blocks[0].conv.weight = None


def _renamed(blocks: Any) -> None:
    blocks[0].conv.own_weight = blocks[0].conv.weight
    del blocks[0].conv.weight


@pytest.mark.parametrize("change", [_parameter, _conv, _deep, _block, _gone, _renamed])
def test_modules_and_parameters_may_be_exchanged(change):
    """What was found before does not hide what stands there now, nor what is put back."""
    blocks, matrices = listed([Block(), Block()]), BlockMatrices()
    matrices.of(blocks)
    change(blocks)
    assert identities(matrices.of(blocks)) == walked(blocks)
    _parameter(blocks)
    assert identities(matrices.of(blocks)) == walked(blocks)


def test_stand_ins_are_used_and_parameters_come_back():
    """The result is that of PyTorch's `functional_call`, and after the `with` all is as before, error or none."""
    blocks, matrices = listed([Block(), Block()]), BlockMatrices()
    run, x = nn.Sequential(*blocks), torch.randn(3, 2)
    other = {name: torch.randn(2, 2, requires_grad=True) for name in names(0, 1)[1:]}
    expected = functional_call(run, {name.removeprefix("blocks."): matrix for name, matrix in other.items()}, (x,))
    before = identities(matrices.of(blocks))
    with matrices.replaced(blocks, other):
        assert torch.equal(run(x), expected)
        assert matrices.of(blocks) | other == matrices.of(blocks)
    assert identities(matrices.of(blocks)) == before
    with pytest.raises(ZeroDivisionError), matrices.replaced(blocks, other):
        raise ZeroDivisionError
    assert identities(matrices.of(blocks)) == before


def test_stand_ins_may_be_replaced_in_turn():
    """Within one another, the inner ones last for their `with`, and then the outer ones stand again."""
    blocks, matrices = listed([Block()]), BlockMatrices()
    name = "blocks.0.conv.weight"
    weight, outer, inner = blocks[0].conv.weight, torch.zeros(2, 2), torch.ones(2, 2)
    with matrices.replaced(blocks, {name: outer}):
        with matrices.replaced(blocks, {name: inner}):
            assert blocks[0].conv.weight is inner
        assert blocks[0].conv.weight is outer
    assert blocks[0].conv.weight is weight


def test_a_shared_parameter_has_one_name_and_is_replaced_everywhere():
    """One of a convolution that blocks share, of two convolutions, or of a module beside a convolution."""
    blocks, matrices = listed([Block(), Block(), Block()]), BlockMatrices()
    blocks[1].conv = blocks[0].conv
    blocks[2].conv.weight = blocks[2].other.weight = blocks[0].conv.weight
    assert list(matrices.of(blocks)) == [*names(0), "blocks.2.conv.parts.0.weight"]
    weight, other = blocks[0].conv.weight, torch.zeros(2, 2)
    places = [blocks[0].conv, blocks[1].conv, blocks[2].conv, blocks[2].other]
    with matrices.replaced(blocks, {"blocks.0.conv.weight": other}):
        assert all(module.weight is other for module in places)
    assert all(module.weight is weight for module in places)


def test_a_copy_finds_its_own_matrices():
    """What was found goes with the blocks that are copied with it."""
    both: dict[str, Any] = {"blocks": listed([Block()]), "matrices": BlockMatrices()}
    both["matrices"].of(both["blocks"])
    twin = copy.deepcopy(both)
    assert identities(twin["matrices"].of(twin["blocks"])) == walked(twin["blocks"])
