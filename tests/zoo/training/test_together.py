"""Trainings side by side, against the trainer with each by itself."""

from typing import Any

import pytest
import torch

import zoo
from zoo.builder import Built
from zoo.together import loop_of
from zoo.training.members import Members
from zoo.training.outcome import Outcome


class Rows:
    """Remembers what a trainer tells its watchers."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def measured(self, row) -> None:
        self.rows.append({name: value for name, value in row.items() if name != "seconds"})

    def probed(self, row) -> None:
        raise AssertionError("no probes are read of several networks")


def built_of(overrides: list[str], seeds: range, spoilt: int | None = None, recipe: str = "smoke/res-gcn"):
    found = [zoo.build(recipe, ["probes=none", *overrides], seed=seed) for seed in seeds]
    for each in found:
        each.network.double()
        task: Any = each.task
        task.features = task.features.double()
        if each.seed == spoilt:
            _spoil(each, after=3)
    return found


def _spoil(built: Built, after: int) -> None:
    """From a step on, let the loss of a member be infinite."""
    task: Any = built.task
    told = task.loss
    steps = {"seen": 0}

    def loss(network, batch):
        steps["seen"] += network.training
        return told(network, batch) * (torch.inf if steps["seen"] > after else 1)

    task.loss = loss


def alone(members: list[Built]) -> tuple[list[Outcome], list[list[dict[str, Any]]]]:
    watchers = [Rows() for _ in members]
    outcomes = [each.trainer((watcher,)).fit() for each, watcher in zip(members, watchers, strict=True)]
    return outcomes, [watcher.rows for watcher in watchers]


def together(members: list[Built]) -> tuple[list[Outcome], list[list[dict[str, Any]]]]:
    watchers = [Rows() for _ in members]
    stacked = Members([each.network for each in members])
    outcomes = loop_of(members, stacked, [(watcher,) for watcher in watchers]).fit()
    return outcomes, [watcher.rows for watcher in watchers]


def assert_equal(overrides: list[str], seeds: range, **options: Any) -> list[Outcome]:
    """Outcomes, records and best weights of each member are those it has alone; returns the outcomes."""
    members = built_of(overrides, seeds, **options), built_of(overrides, seeds, **options)
    (expected, rows), (found, told) = alone(members[0]), together(members[1])
    for one, other in zip(found, expected, strict=True):
        for name in ("status", "val", "test", "train", "best_epoch", "epochs", "steps", "non_finite"):
            assert getattr(one, name) == getattr(other, name), name
        assert (one.final is None) == (other.final is None)
        if one.final and other.final:
            assert one.final.ratio == pytest.approx(other.final.ratio, rel=1e-6, nan_ok=True)
    for mine, alones in zip(told, rows, strict=True):
        assert len(mine) == len(alones)
        for row, other in zip(mine, alones, strict=True):
            assert row == pytest.approx(other, rel=1e-6)
    for one, other in zip(*members, strict=True):
        for name, tensor in one.network.state_dict().items():
            torch.testing.assert_close(other.network.state_dict()[name], tensor, rtol=1e-6, atol=1e-9)
    return found


LONG = ["training.duration=15 epochs"]
CASES = {
    "adam": ["normalizer=frobenius", "optimizer.weight_decay=0.01"],
    "clipped, by a schedule": ["training.clip=0.05", "schedule=cosine", "schedule.warmup=5 epochs"],
    "momentum": ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.lr=0.05", "normalizer=none"],
    "groups": ["optimizer=adamw", "optimizer.groups={blocks: {lr: 0.001}}"],
    "every third epoch": ["training.evaluate=3 epochs", "normalizer=spectral", "normalizer.method=power"],
    "calibrated": ["normalizer=frobenius", "normalizer.c=auto"],
}


@pytest.mark.parametrize("name", CASES)
def test_members_end_as_they_end_alone(name):
    """Every figure of every validation, the best weights and the evidence, in float64, after fifteen epochs."""
    found = assert_equal([*LONG, *CASES[name]], range(3))
    assert {outcome.status for outcome in found} == {"finished"}


def test_parts_of_different_sizes():
    """Members of a cross-validation, the folds of which differ by a node, learn from their own nodes."""
    assert_equal(["split=folds", "split.folds=7", "training.duration=5 epochs"], range(4))


def test_who_loses_patience_leaves_and_the_others_go_on():
    """Each member stops where it stops alone."""
    found = assert_equal([*LONG, "training.patience=4 epochs", "optimizer.lr=0.05"], range(5))
    assert len({outcome.steps for outcome in found}) > 1
    assert "stopped early" in {outcome.status for outcome in found}


@pytest.mark.parametrize("spoilt", [0, 2])
def test_what_is_not_finite_is_one_members_affair(spoilt):
    """It leaves without the step, with the place where it began; the others take theirs, and end as alone."""
    found = assert_equal([*LONG], range(3), spoilt=spoilt)
    assert [outcome.status for outcome in found].count("non-finite") == 1
    assert found[spoilt].steps < found[(spoilt + 1) % 3].steps == 15


def test_all_may_leave():
    """If nobody is left, the training ends."""
    found = assert_equal([*LONG], range(1), spoilt=0)
    assert found[0].status == "non-finite"


@pytest.mark.parametrize(("override", "agreed"), [("model.dropout=0", True), ("model.dropout=0.5", False)])
def test_validation_is_read_off_the_next_step_where_it_can_be(monkeypatch, override, agreed):
    """One pass an epoch in place of two, but for the last, where all modules declare that passes agree."""
    passes = []
    forward = Members.forward
    monkeypatch.setattr(Members, "forward", lambda self, *whole: passes.append(self) or forward(self, *whole))
    outcomes, _ = together(built_of([*LONG, override], range(2)))
    assert [outcome.steps for outcome in outcomes] == [15, 15]
    assert len(passes) == (15 + 1 if agreed else 2 * 15)


def test_half_precision_is_the_members_too():
    """The loss of the first step is that of the trainer in bf16."""
    members = [[zoo.build("smoke/bf16", ["probes=none"], seed=seed) for seed in range(2)] for _ in range(2)]
    rows = alone(members[0])[1], together(members[1])[1]
    for one, other in zip(*rows, strict=True):
        assert one[0]["loss"] == pytest.approx(other[0]["loss"], rel=0.01)
