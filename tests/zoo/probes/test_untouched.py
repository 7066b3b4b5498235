"""A look that leaves no mark: gradients, buffers and random state."""

import copy

import pytest
import torch
from torch import nn

import zoo
from zoo.builder import Built
from zoo.probes.untouched import untouched


def marked(recipe: str, **overrides: object) -> Built:
    """A network in training with gradients that a step left behind, and statistics that have moved."""
    built = zoo.build(recipe, overrides, device="cpu")
    built.network.train()
    built.task.loss(built.network, next(built.task.batches(0))).backward()
    next(built.network.parameters()).grad = None  # one without, as frozen parameters have
    return built


def state_of(network: nn.Module) -> dict[str, torch.Tensor | None]:
    """Copies of everything that must not change, by name."""
    gradients = {f"grad {name}": p.grad if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
    return {**copy.deepcopy(dict(network.state_dict())), **gradients, "random": torch.get_rng_state()}


def same(one: dict[str, torch.Tensor | None], other: dict[str, torch.Tensor | None]) -> list[str]:
    """Names of what differs in any bit."""
    return [
        name
        for name, value in one.items()
        if (value is None) != (other[name] is None)
        or (value is not None and other[name] is not None and not torch.equal(value, other[name]))  # pyright: ignore[reportArgumentType]
    ]


# Batch norm's statistics, power iteration's vectors, dropout's random numbers.
STATEFUL = [
    ("smoke/gin", {"model.dropout": 0.5}),
    ("smoke/res-gcn", {"normalizer": {"name": "spectral", "method": "power"}, "model.dropout": 0.5}),
]


@pytest.mark.parametrize(("recipe", "overrides"), STATEFUL, ids=["batch-norm", "power-iteration"])
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_untouched_puts_everything_back(recipe, overrides, fails):
    """Gradients, buffers and random state are bitwise as before, also when the inside raises."""
    built = marked(recipe, **overrides)
    network = built.network
    before, identities = state_of(network), [id(p.grad) for p in network.parameters()]
    moved: list[str] = []

    def inside() -> None:
        with untouched(network):
            assert all(p.grad is None for p in network.parameters())
            built.task.loss(network, next(built.task.batches(0))).backward()
            moved.extend(same(before, state_of(network)))
            if fails:
                raise KeyError("inside")

    if fails:
        with pytest.raises(KeyError, match="inside"):
            inside()
    else:
        inside()
    assert not same(before, state_of(network))
    assert [id(p.grad) for p in network.parameters()] == identities
    kinds = {"random", "running_mean" if "gin" in recipe else "u", "grad"}
    assert all(any(kind in name for name in moved) for kind in kinds), "the inside did change them"


def test_a_backward_pass_under_way_goes_on():
    """Putting batch norm's statistics back between a forward and its backward pass does not stop the latter."""
    built = marked("smoke/gin")
    loss = built.task.loss(built.network, next(built.task.batches(0)))
    before = state_of(built.network)
    with untouched(built.network):
        built.task.loss(built.network, next(built.task.batches(0)))
    assert not same(before, state_of(built.network))
    loss.backward()
