"""Validation read off the next step's forward pass: the same rows, and never where passes differ."""

import copy

import pytest
import torch

import zoo
from zoo.training.reuse import ReusedForward

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
        trainer.reused.agreed = False
    built.network.register_forward_pre_hook(lambda network, inputs: passes.append(network.training))
    outcome = trainer.fit()
    return trainer, rows.rows, passes, outcome


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"normalizer": {"name": "frobenius", "c": 0.5}},
        {"model.name": "res-sage"},
        {"model.name": "res-gat"},
        {"training.evaluate": "2 epochs", "training.duration": "7 epochs"},
        {"training.precision": "bf16"},
        {"training.patience": "2 epochs", "training.duration": "40 epochs", "optimizer.lr": 0.2},
    ],
)
def test_rows_and_weights_are_those_of_separate_passes(overrides):
    """Every row, the outcome and the best weights are bitwise the same, with half the passes."""
    trainer, rows, passes, outcome = trained(overrides)
    other, expected, all_passes, reference = trained(overrides, reuse=False)
    assert trainer.reused.agreed and rows == expected
    assert (outcome.status, outcome.val, outcome.test, outcome.best_epoch, outcome.steps) == (
        reference.status,
        reference.val,
        reference.test,
        reference.best_epoch,
        reference.steps,
    )
    weights = other.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in trainer.network.state_dict().items())
    # Evaluations are left of the first validation, which is compared, and of the end.
    assert passes.count(False) <= 3 < all_passes.count(False)


@pytest.mark.parametrize(
    "overrides",
    [
        {"model.dropout": 0.5},
        {"normalizer": "batch"},
        {"normalizer": {"name": "spectral", "method": "power"}},
        {"regularizer": {"name": "drop-edge", "p": 0.3}},
        {"task": {"name": "nodes", "inference": "layerwise"}},
        {"task": {"name": "nodes", "sampler": {"name": "cluster", "parts": 2}}},
    ],
)
def test_where_training_computes_something_else_nothing_is_reused(overrides):
    """Dropout, batch statistics, power iteration, thinned graphs and samples: an evaluation after every epoch."""
    trainer, rows, passes, _ = trained(overrides)
    _, expected, all_passes, _ = trained(overrides, reuse=False)
    assert not trainer.reused.agreed and rows == expected
    assert passes.count(False) == all_passes.count(False)


def test_a_saved_state_has_what_waits():
    """A state saved between a step and the pass that validates it says so: from there the same row is measured."""
    built = zoo.build("smoke/res-gcn", {**SMALL, "training.save": "4 epochs"})

    class Saver:
        def save(self, state):
            states.append(copy.deepcopy(state))

    states, rows, resumed = [], Rows(), Rows()
    built.trainer((rows,), Saver()).fit()
    (state,) = states
    assert state["step"] == 4 and state["waiting"] and state["best"]["step"] < 4
    again = zoo.build("smoke/res-gcn", SMALL).trainer((resumed,))
    again.resume(state)
    again.fit()
    assert resumed.rows == rows.rows[3:]


def test_a_pass_that_disagrees_once_is_never_reused():
    """Outputs that differ by one unit in the last place decide against reuse for good."""
    built = zoo.build("smoke/res-gcn", SMALL)
    reused = ReusedForward(built.network, built.task, alone=True)
    whole = built.task.whole
    assert whole is not None
    with reused.evaluation():
        built.network(*whole)
    parameter = next(built.network.parameters())
    with torch.no_grad():
        parameter.mul_(1 + 1e-6)
    with reused.training():
        built.network(*whole)
    assert reused.agreed is False


def test_in_a_team_nothing_is_reused():
    """Several processes see shares of a batch, and the leader evaluates."""
    built = zoo.build("smoke/res-gcn", SMALL)
    assert ReusedForward(built.network, built.task, alone=False).agreed is False
