"""The best weights, and the rows of a record: the documented keys, each number of the step that the row names."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.runs.run import Run
from zoo.training.outcome import Best, Measured

TASK: Any = SimpleNamespace(better=lambda new, old: new > old)


def network(value: float = 1.0) -> nn.Module:
    """Parameters, and buffers of two types."""
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made


def test_what_beats_the_best():
    """Anything but NaN beats nothing; later, what the task calls better."""
    best = Best(TASK)
    taken = [best.take(step, val) for step, val in enumerate((float("nan"), 0.1, 0.1, float("nan"), 0.2))]
    assert taken == [False, True, False, False, True] and (best.step, best.val) == (4, 0.2)


def test_restored_weights_are_those_taken_last():
    """Parameters and buffers come back to the bit, whatever became of the network in between; step and val are kept."""
    trained, best = network(), Best(TASK)
    assert not best.restore(trained)
    for step in (1, 2):
        with torch.no_grad():
            for tensor in trained.state_dict().values():
                tensor.add_(step)
        best.take(step, step / 10)
        best.copy_weights(trained)
        expected = copy.deepcopy(trained.state_dict())
    trained.load_state_dict(network(5.0).state_dict())
    assert best.restore(trained) and (best.step, best.val) == (2, 0.2)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_taken_again_without_new_memory():
    """The weights of the second time lie where those of the first time lay."""
    trained, best = network(), Best(TASK)
    best.copy_weights(trained)
    assert best.weights is not None
    places = [tensor.data_ptr() for tensor in best.weights.values()]
    best.copy_weights(trained)
    assert [tensor.data_ptr() for tensor in best.weights.values()] == places


@pytest.mark.parametrize("change", [lambda made: made.double(), lambda made: made.append(nn.Linear(2, 2))])
def test_a_network_that_has_changed_is_taken_as_it_is(change):
    """Of another type, or with more parts, it is not written over what was kept before."""
    trained, best = network(), Best(TASK)
    best.copy_weights(trained)
    change(trained)
    best.copy_weights(trained)
    assert best.weights is not None
    for name, tensor in trained.state_dict().items():
        assert torch.equal(best.weights[name], tensor) and best.weights[name].dtype == tensor.dtype


def test_state_is_copied_when_it_is_loaded():
    """What is taken later does not write into the state that another training may go on from."""
    best, later = Best(TASK), Best(TASK)
    best.take(3, 0.3)
    best.copy_weights(network(1.0))
    later.load_state_dict(best.state_dict())
    assert (later.step, later.val) == (3, 0.3)
    later.copy_weights(network(2.0))
    assert best.weights is not None and (best.weights["0.weight"] == 1).all()
    Best(TASK).load_state_dict(Best(TASK).state_dict())


WARMED = ["schedule={name: linear, warmup: 5 steps}", "optimizer={name: sgd, lr: 1.0}"]


class Ignores:
    """A watcher that sees nothing."""

    def measured(self, row: Any) -> None:
        pass

    def probed(self, row: Any) -> None:
        pass


class Spy:
    """Notes what each step is taken with."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.bounds: list[list[float]] = []

    def __call__(self, built):
        def before(optimizer, *_):
            self.rates.append(float(optimizer.param_groups[0]["lr"]))
            self.bounds.append([float(c) for _, bounds in built.network.bounds() for c in bounds.flatten()])

        built.optimizer.register_step_pre_hook(before)
        return Ignores()


def test_the_documented_keys_are_the_keys(tmp_path):
    """Measured, the column names that Run.metrics tells of, and metrics.jsonl agree, in order too."""
    run = zoo.train("smoke/res-gcn", ["training.duration=3"], runs=tmp_path)
    assert list(run.metrics.columns) == list(Measured.__annotations__)
    assert ", ".join(Measured.__annotations__) in str(Run.metrics.__doc__)


@pytest.mark.parametrize("name", ["smoke/res-gcn", "smoke/neighbor"])
@pytest.mark.parametrize("evaluate", ["1 step", "3 steps"])
def test_the_rate_is_that_of_the_step(name, evaluate, tmp_path):
    """Not the next step's, which the scheduler has set by then; nor where a training pass tells the validation."""
    spy = Spy()
    changes = [*WARMED, "training.duration=9 steps", f"training.evaluate={evaluate}"]
    rows = zoo.train(name, changes, runs=tmp_path, device="cpu", watch=spy).metrics
    assert len(spy.rates) == 9 and len(set(spy.rates)) > 5
    assert rows["lr"].tolist() == [spy.rates[step - 1] for step in rows["step"]]


def test_a_resumed_run_records_the_same_rates(tmp_path):
    """The step before a state was saved is recorded with its own rate, though validated after the run is resumed."""
    changes = [*WARMED, "training.duration=9 steps", "training.save=1 step"]
    whole = zoo.train("smoke/res-gcn", changes, runs=tmp_path / "whole", device="cpu")

    def breaks(built):
        taken = []

        def after(*_):
            taken.append(None)
            if len(taken) == 4:
                raise RuntimeError("the machine is taken away")

        built.optimizer.register_step_post_hook(after)
        return Ignores()

    with pytest.raises(RuntimeError, match="taken away"):
        zoo.train("smoke/res-gcn", changes, runs=tmp_path / "broken", device="cpu", watch=breaks)
    resumed = zoo.train("smoke/res-gcn", changes, runs=tmp_path / "broken", device="cpu", resume=True)
    rows = (whole.metrics.drop(columns="seconds"), resumed.metrics.drop(columns="seconds"))
    assert rows[0].equals(rows[1])
    assert resumed.metrics["seconds"].is_monotonic_increasing
    assert resumed.result["seconds"] <= resumed.result["seconds_with_setup"]


def test_probes_read_the_step_that_they_name(tmp_path):
    """Its gradients, at the weights that it found; the bound in force in it; and what its update did."""
    spy = Spy()
    changes = ["probes={name: standard, every: 1 step}", "training.duration=6 steps"]
    changes += ["normalizer=frobenius", "normalizer.c={name: adaptive, every: 1 step, low: 0.5, high: 0.6}"]
    changes += ["optimizer=sgd", "optimizer.lr=0.5"]
    run = zoo.train("smoke/res-gcn", changes, runs=tmp_path, device="cpu", watch=spy)
    assert [row["step"] for row in run.probes] == [1, 2, 3, 4, 5, 6]
    first = run.result["gradient_similarity"]["first_block"]
    assert run.probes[0]["gradients.mu.plain"][0] == pytest.approx(first, rel=1e-6)
    for row, bounds in zip(run.probes, spy.bounds, strict=True):
        assert row["weights.c"] == pytest.approx(bounds, rel=1e-6)
    assert spy.bounds[0] != spy.bounds[-1]
