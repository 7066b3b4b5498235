"""Where non-finite numbers begin, on real stacks with absurd weights."""

import math
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.builder import Built
from zoo.probes.diagnosis import NonFinite
from zoo.training.nonfinite import locate
from zoo.training.steps import first_loss

DEPTH = 6


def deep(depth: int = DEPTH, recipe: str = "smoke/res-gcn", **overrides: object) -> Built:
    """A small stack without a normaliser, in training."""
    small = {"dataset.nodes": 60, "model.depth": depth, "normalizer": "none"}
    built = zoo.build(recipe, {**small, **overrides}, device="cpu")
    built.network.train()
    return built


def found(built: Built, step: int = 3) -> NonFinite:
    """What `locate` says of the built network's next step."""
    return locate(built.network, lambda: first_loss(built.network, built.task), step)


def first_bad(built: Built) -> int:
    """The first block whose output is not finite, from a loop of our own."""
    network: Any = built.network
    graph = built.graph
    x = first = network.encoder(built.data.features)
    for number, block in enumerate(network.blocks, start=1):
        x = block(graph, x, first)
        if not bool(x.isfinite().all()):
            return number
    raise AssertionError("every output is finite")


def scale(built: Built, factor: float, *blocks: int) -> None:
    """Multiply the weights of those blocks, counted from 1."""
    layers: Any = built.network.blocks
    with torch.no_grad():
        for block in blocks:
            layers[block - 1].conv.weight.mul_(factor)


@pytest.mark.parametrize("recipe", ["smoke/res-gcn", "smoke/gcn", "smoke/res-gat"])
@pytest.mark.parametrize("place", [1, 4, DEPTH])
def test_the_first_block_that_overflows_is_named(recipe, place):
    """Whichever block has the absurd weight, the named one is the first bad output of a loop of our own."""
    built = deep(recipe=recipe, **({"model.ends": "linear", "model.dropout": 0.0} if recipe == "smoke/gcn" else {}))
    scale(built, 1e38, place)
    scale(built, 1e5, place)
    expected = first_bad(built)
    assert expected == place
    assert found(built) == NonFinite(3, "output", place, DEPTH)


def test_growth_over_blocks_ends_at_the_first_overflow():
    """Where no single block is to blame, it is the one at which float32 ends."""
    built = deep()
    scale(built, 1e12, *range(1, DEPTH + 1))
    expected = first_bad(built)
    assert 1 < expected < DEPTH
    assert found(built).block == expected
    assert f"block {expected} of {DEPTH} is the first that is not finite" in str(found(built))


def test_nan_in_one_weight_is_found():
    """A NaN that an optimiser left in a single entry of one block."""
    built = deep()
    blocks: Any = built.network.blocks
    with torch.no_grad():
        blocks[2].conv.weight[0, 0] = float("nan")
    assert first_bad(built) == 3
    assert found(built) == NonFinite(3, "output", 3, DEPTH)


def test_a_head_that_overflows_is_outside_the_blocks():
    """Finite blocks and a loss that is not: the loss, outside the blocks."""
    built = deep()
    head: Any = built.network.head
    with torch.no_grad():
        head.linear.weight.mul_(float("inf"))
    assert found(built) == NonFinite(3, "loss", None, DEPTH)
    assert "outside the blocks" in str(found(built))


class Backwards(nn.Module):
    """A parameter whose gradient is what it is told to be, in a block that passes features on."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.dial = nn.Parameter(torch.ones(()))
        self.dial.register_hook(lambda gradient: torch.full_like(gradient, value))

    def forward(self, graph: Any, x: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
        return x * self.dial


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameters_gradient_is_found_in_its_block(value):
    """All representations and their gradients are finite, the gradient of a block's weight is not: that block."""
    built = deep()
    for place in (2, 5):
        built.network.blocks[place - 1] = Backwards(value)
    assert found(built) == NonFinite(3, "gradient", 5, DEPTH), "back-propagation comes to the later one first"


def test_a_gradient_of_the_encoder_is_outside_the_blocks():
    """The encoder's weight is no block's."""
    built = deep()
    encoder: Any = built.network.encoder
    encoder.linear.weight.register_hook(lambda gradient: gradient * float("nan"))
    assert found(built) == NonFinite(3, "gradient", None, DEPTH)


def test_a_norm_that_overflows_is_told_from_a_gradient_that_does():
    """Every gradient is finite and the norm of them all is not: said so, with the block of the largest."""
    built = deep()
    built.network.blocks[3] = Backwards(1e30)
    where = found(built)
    assert where == NonFinite(3, "gradient norm", 4, DEPTH)
    assert str(where) == "step 3: the norm of all gradients overflows; the largest gradient is that of block 4 of 6"


def test_the_norm_overflows_in_a_deep_network_without_a_normaliser():
    """120 residual blocks: all gradients are finite, their norm is beyond float32, and training stops at once."""
    built = deep(120)
    loss = built.task.loss(built.network, next(built.task.batches(0)))
    loss.backward()
    gradients = [p.grad for p in built.network.parameters() if p.grad is not None]
    size = math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    assert 1e20 < size < 1e37, "its square is beyond float32"
    assert found(built).what == "gradient norm"


def test_a_step_that_is_finite_when_run_again_is_no_blocks_fault():
    """Where the second run meets nothing, no block is blamed."""
    where = found(deep())
    assert where == NonFinite(3, "nothing", None, DEPTH)
    assert "finite" in str(where) and "again" in str(where) and "block" not in str(where)


def test_it_is_run_in_the_precision_of_the_training():
    """What overflows in the training's precision only is found there."""
    built = deep()
    scale(built, 1e5, 3)  # float16 ends at 65504
    assert found(built).what == "nothing"
    with torch.autocast("cpu", torch.float16):
        assert found(built) == NonFinite(3, "output", 3, DEPTH)


@pytest.mark.parametrize("factor", [1.0, 1e12], ids=["finite", "overflows"])
def test_state_is_left_as_it_was(factor):
    """Weights, gradients, running statistics and random numbers are bitwise those before; no hook stays."""
    built = deep(recipe="smoke/gin", **{"model.dropout": 0.5, "normalizer": "batch"})
    network = built.network
    built.task.loss(network, next(built.task.batches(0))).backward()
    with torch.no_grad():
        network.block_matrices()["blocks.1.conv.mlp.0.weight"].mul_(factor)
        network.block_matrices()["blocks.1.conv.mlp.2.weight"].mul_(factor).mul_(factor).mul_(factor)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    gradients = {name: (p.grad, p.grad.clone()) for name, p in network.named_parameters() if p.grad is not None}
    random = torch.get_rng_state()
    assert found(built).what == ("nothing" if factor == 1 else "output")
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad is gradients[name][0]
        assert torch.equal(parameter.grad, gradients[name][1])
    assert not any(block._forward_hooks for block in network.blocks)


def test_hooks_go_when_the_step_raises():
    """An error in the forward pass is not hidden, and leaves no hook behind."""
    built = deep()
    built.network.blocks[2] = nn.Linear(3, 3)  # does not take a graph
    with pytest.raises(TypeError):
        found(built)
    assert not any(block._forward_hooks for block in built.network.blocks)


def test_a_penalty_that_overflows_is_found():
    """The loss that is looked at is that of training, penalty included."""
    built = deep(regularizer={"name": "orthogonality", "weight": 1e37})
    scale(built, 1e3, 2)
    assert found(built) == NonFinite(3, "loss", None, DEPTH)
    assert found(deep()).what == "nothing"
