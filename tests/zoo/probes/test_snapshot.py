"""Probes of real networks as built against autograd, and that measuring leaves no mark."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from zoo.builder import Built
from zoo.probes.presets import deep, standard
from zoo.probes.similarity import Similarity
from zoo.probes.snapshot import preserving_state, snapshot
from zoo.probes.weights import UpdateRatio
from zoo.system.process import prepare_process

# Between them: skips of every kind, attention, feature normalisers, two sites at once, a foreign convolution.
RECIPES = ["res-gcn", "res-gat", "gatv2", "res-gin", "initial", "jumping", "dgl-conv"]


def expected(built: Built) -> tuple[torch.Tensor, torch.Tensor]:
    """μ(G_l) and ‖G_l‖_F from a loop of our own over the blocks, and torch.autograd.grad."""
    network, graph, train = built.network, built.graph, built.split.train
    normalization = network.normalization
    matrices = normalization(network.block_matrices()) if normalization else {}
    outputs = []
    x = first = network.encoder(built.data.features.double())
    for index, block in enumerate(network.blocks):
        own = {name.removeprefix(f"blocks.{index}."): w for name, w in matrices.items() if f"blocks.{index}." in name}
        x = torch.func.functional_call(block, own, (graph, x, first))
        outputs.append(x)
    logits = network.head(network.readout.readout(outputs))
    loss = -F.log_softmax(logits, dim=1)[train, built.data.labels[train]].mean()
    gradients = torch.autograd.grad(loss, outputs)
    centred = [g - g.mean(dim=0) for g in gradients]
    similarity, norm = (torch.stack([m.square().sum().sqrt() for m in ms]) for ms in (centred, gradients))
    return similarity, norm


@pytest.mark.parametrize("name", RECIPES)
def test_profile_equals_autograd_in_float64(name):
    """μ and norm at each block of a built network equal those of torch.autograd.grad, to 1e-10."""
    built = zoo.build(f"smoke/{name}", {"dataset.nodes": 60}, device="cpu")
    built.network.double()
    x, labels, train = built.data.features.double(), built.data.labels, built.split.train

    def loss() -> torch.Tensor:
        return F.cross_entropy(built.network(built.graph, x)[train], labels[train])

    reading = snapshot(built.network, [Similarity()], loss)
    similarity, norm = expected(built)
    np.testing.assert_allclose(reading["gradients.mu.plain"], similarity.numpy(), rtol=1e-10)
    np.testing.assert_allclose(reading["gradients.norm"], norm.numpy(), rtol=1e-10)
    assert norm.min() > 0


def test_built_profile_is_that_of_the_task():
    """`Built.initial` is what the standard probes say of the task's own loss, before anything was trained."""
    built = zoo.build("smoke/res-gcn", device="cpu")
    again = snapshot(
        built.network, standard(), lambda: built.task.loss(built.network.train(), next(built.task.batches(0)))
    )
    assert set(again) <= set(built.initial)
    for name, series in again.items():
        np.testing.assert_array_equal(built.initial[name], series)


def test_updates_are_left_out():
    """No step is taken, so there is none to measure."""
    built = zoo.build("smoke/res-gcn", {"dataset.nodes": 60}, device="cpu")
    loss = lambda: built.task.loss(built.network, next(built.task.batches(0)))  # noqa: E731
    reading = snapshot(built.network, [UpdateRatio()], loss)
    assert list(reading) == ["loss"] and reading.number("loss") == pytest.approx(loss().item())


def test_gradients_too_small_for_float32_squares_are_seen():
    """A gradient of 1e-30, whose square float32 does not have, has its norm; in float32 it is 0."""
    built = zoo.build("smoke/res-gcn", {"dataset.nodes": 60, "model.dropout": 0.0}, device="cpu")
    loss = lambda: built.task.loss(built.network, next(built.task.batches(0)))  # noqa: E731
    one = snapshot(built.network, [Similarity()], loss)
    tiny = snapshot(built.network, [Similarity()], lambda: 1e-30 * loss())
    np.testing.assert_allclose(tiny["gradients.mu.plain"], 1e-30 * one["gradients.mu.plain"], rtol=1e-4)
    narrow = snapshot(built.network, [Similarity()], lambda: 1e-30 * loss(), precision=torch.float32)
    assert not narrow["gradients.mu.plain"].any()


def test_measuring_does_not_change_the_run():
    """Losses with dropout are bitwise equal whether profiles are taken between the steps or not."""
    losses = []
    for measured in (False, True):
        built = zoo.build("smoke/gin", {"model.dropout": 0.5}, device="cpu")
        built.network.train()

        def loss(built: Built = built) -> torch.Tensor:
            return built.task.loss(built.network, next(built.task.batches(0)))

        losses.append([])
        with prepare_process(built.process):
            for _ in range(3):
                built.optimizer.zero_grad()
                value = loss()
                value.backward()
                if measured:
                    snapshot(built.network, deep(), loss)
                built.optimizer.step()
                losses[-1].append(value.item())
    assert losses[0] == losses[1]


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
        with preserving_state(network):
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
    with preserving_state(built.network):
        built.task.loss(built.network, next(built.task.batches(0)))
    assert not same(before, state_of(built.network))
    loss.backward()
