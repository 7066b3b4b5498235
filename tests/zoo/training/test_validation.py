"""Validation read off the next step's forward pass: the same rows, and never where passes differ."""

import copy
from typing import Any

import pytest
import torch

import zoo
from registry import regularizers
from zoo.layers.network import Network
from zoo.regularizers import Regularizer
from zoo.training.validation import ReusedForward

SMALL = {
    "model.depth": 3,
    "model.width": 8,
    "dataset": {"name": "block-model", "nodes": 60, "classes": 3, "features": 6},
    "training.duration": "8 epochs",
    "probes": "none",
}


class Rows:
    def __init__(self):
        self.rows = []

    def measured(self, row):
        self.rows.append({key: value for key, value in row.items() if key != "seconds"})

    def probed(self, row):
        pass


def trained(overrides=None, *, reuse=True, recipe="smoke/res-gcn"):
    """The trainer after its training, what it reported, and how often the network was called."""
    built = zoo.build(recipe, {**SMALL, **(overrides or {})})
    rows, passes = Rows(), []
    trainer = built.trainer((rows,))
    if not reuse:
        trainer.validation.reused.asked = False
    forward = Network.forward

    def counted(network, *inputs):
        passes.append(network.training)
        return forward(network, *inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "forward", counted)
        outcome = trainer.fit()
    return trainer, rows.rows, passes, outcome


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"normalizer": {"name": "frobenius", "c": 0.5}},
        {"normalizer": "spectral"},
        {"normalizer": {"name": "spectral", "method": "power", "mode": "project"}},
        {"normalizer": "layer"},
        {"regularizer": "orthogonality"},
        {"model.name": "res-sage"},
        {"model.name": "res-gat"},
        {"training.evaluate": "2 epochs", "training.duration": "7 epochs"},
        {"training.patience": "2 epochs", "training.duration": "40 epochs", "optimizer.lr": 0.2},
    ],
)
def test_rows_and_weights_are_those_of_separate_passes(overrides):
    """Every row, the outcome and the best weights are bitwise the same, with half the passes."""
    trainer, rows, passes, outcome = trained(overrides)
    other, expected, all_passes, reference = trained(overrides, reuse=False)
    assert trainer.validation.reused.possible and rows == expected
    assert (outcome.status, outcome.val, outcome.test, outcome.best_epoch, outcome.steps) == (
        reference.status,
        reference.val,
        reference.test,
        reference.best_epoch,
        reference.steps,
    )
    weights = other.setup.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in trainer.setup.network.state_dict().items())
    # Evaluations are left of the end alone: the last validation, and the best weights' scores.
    assert passes.count(False) <= 2 < all_passes.count(False)


@pytest.mark.parametrize(
    "overrides",
    [
        {"model.dropout": 0.5},
        {"normalizer": "batch"},
        {"training.precision": "bf16"},
        {"normalizer": {"name": "spectral", "method": "power"}},
        {"regularizer": {"name": "drop-edge", "p": 0.3}},
        {"task": {"name": "nodes", "inference": "layerwise"}},
        {"task": {"name": "nodes", "sampler": {"name": "cluster", "parts": 2}}},
    ],
)
def test_where_training_computes_something_else_nothing_is_reused(overrides):
    """Dropout, batch statistics, half precision, thinned graphs, samples …: an evaluation after every epoch."""
    trainer, rows, passes, _ = trained(overrides)
    _, expected, all_passes, _ = trained(overrides, reuse=False)
    assert not trainer.validation.reused.possible and rows == expected
    assert passes.count(False) == all_passes.count(False)


def saved_after_four_epochs(rows: Rows) -> list[Any]:
    """The states that a training saves, which also tells its validations to `rows`."""
    states = []

    class Saver:
        def save(self, state):
            states.append(copy.deepcopy(state))

    zoo.build("smoke/res-gcn", {**SMALL, "training.save": "4 epochs"}).trainer((rows,), Saver()).fit()
    return states


def test_a_saved_state_has_what_waits():
    """A state saved between a step and the pass that validates it says so: from there the same row is measured."""
    rows, resumed = Rows(), Rows()
    states = saved_after_four_epochs(rows)
    (state,) = states
    assert state["step"] == 4 and state["waiting"] and state["best"]["step"] < 4
    again = zoo.build("smoke/res-gcn", SMALL).trainer((resumed,))
    again.resume(state)
    again.fit()
    assert resumed.rows == rows.rows[3:]


@pytest.mark.parametrize("late", [2, 4])
def test_a_plug_in_that_changes_in_mid_training_is_scored_as_it_is_evaluated(late):
    """Who does not declare anything is evaluated each time, however long its passes were the same."""

    class Late(Regularizer):
        steps = 0

        def features(self, graph, x):
            self.steps += 1
            return x if self.steps < late else 50 * torch.randn(x.shape)

    regularizers.register("late")(Late)
    try:
        trainer, rows, _, _ = trained({"regularizer": "late"})
        _, expected, _, _ = trained({"regularizer": "late"}, reuse=False)
    finally:
        regularizers.unregister("late")
    assert not trainer.validation.reused.possible and rows == expected


def test_what_changes_under_way_is_seen():
    """Dropout that is turned on, and a hook, end the reuse with the validation after; without them it is back."""
    built = zoo.build("smoke/res-gcn", SMALL)
    reused = ReusedForward(built.network, built.task, alone=True)
    block: Any = built.network.blocks[1]
    assert reused.possible
    block.dropout.p = 0.5
    assert not reused.possible
    block.dropout.p = 0.0
    hook = block.conv.register_forward_hook(lambda module, inputs, output: output * 2 if module.training else None)
    assert not reused.possible
    hook.remove()
    assert reused.possible


def test_an_unfinished_validation_of_a_state_is_made_where_it_cannot_wait():
    """A state whose validation waits for a pass that now differs is validated at once."""
    rows, resumed = Rows(), Rows()
    states = saved_after_four_epochs(rows)
    again = zoo.build("smoke/res-gcn", SMALL)
    hook: Any = lambda network, inputs, output: 0 * output if network.training else None  # noqa: E731
    again.network.register_forward_hook(hook)
    trainer = again.trainer((resumed,))
    trainer.resume(states[0])
    assert trainer.validation.is_overdue()
    trainer.fit()
    assert resumed.rows[0] == rows.rows[3]


def test_a_task_with_a_loss_of_its_own_is_not_trusted():
    """A subclass of a task may train on other inputs than it scores: only the class that defines `whole` speaks."""
    built = zoo.build("smoke/res-gcn", SMALL)
    kind = type(built.task)

    class Perturbed(kind):
        def loss(self, network, batch):
            perturbed: Any = lambda graph, x: network(graph, x + torch.randn_like(x))  # noqa: E731
            return super().loss(perturbed, batch)

    built.task.__class__ = Perturbed
    assert not ReusedForward(built.network, built.task, alone=True).possible


def test_in_a_team_nothing_is_reused():
    """Several processes see shares of a batch, and the leader evaluates."""
    built = zoo.build("smoke/res-gcn", SMALL)
    assert not ReusedForward(built.network, built.task, alone=False).possible
