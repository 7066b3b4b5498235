"""States: when one is due, and that a training that is broken off, wherever, resumes to the same records."""

import json
import signal
from pathlib import Path

import pytest

import zoo
from zoo.errors import TrainingError
from zoo.recipe import recipe_files
from zoo.recipe.recipe import Training
from zoo.runs.run import Run
from zoo.system.stop import Interrupted
from zoo.training.saving import Saving

SHORT = {"training.duration": "8 epochs"}
# A few steps within each epoch, so that states are saved in the middle of it.
GRAPHS = {"task.batch_size": 16, "training.duration": "4 epochs"}
ADAPTIVE = {"model.depth": 4, "normalizer": {"name": "frobenius", "c": {"name": "adaptive", "every": "2 steps"}}}
CASES = {
    **{name: (name, SHORT) for name in recipe_files.names() if name.startswith("smoke/")},
    "smoke/cluster": ("smoke/cluster", {"training.duration": "4 epochs"}),
    "smoke/neighbor": ("smoke/neighbor", {"training.duration": "3 epochs"}),
    "neighbor-workers": ("smoke/neighbor", {"training.duration": "3 epochs", "task.sampler.workers": 1}),
    "smoke/shadow": ("smoke/shadow", {"training.duration": "3 epochs"}),
    "smoke/links": ("smoke/links", {"training.duration": "4 epochs"}),
    "smoke/graphs": ("smoke/graphs", GRAPHS),
    "smoke/graph-regression": ("smoke/graph-regression", GRAPHS),
    "checkpoint": ("smoke/res-gcn", {**SHORT, "training.memory": "checkpoint", "model.dropout": 0.5}),
    "adaptive": ("smoke/res-gcn", {**SHORT, **ADAPTIVE}),
    "adaptive-by-block": (
        "smoke/res-gcn",
        {**SHORT, **ADAPTIVE, "normalizer": {"name": "frobenius", "c": {"name": "adaptive", "per": "block"}}},
    ),
    "spectral": ("smoke/res-gcn", {**SHORT, "normalizer": "spectral"}),
    "batch-norm": ("smoke/res-gcn", {**SHORT, "normalizer": "batch"}),
    "message": ("smoke/res-gcn", {**SHORT, "normalizer": "message"}),
    "dgn": ("smoke/res-gcn", {**SHORT, "normalizer": "dgn"}),
    "soft-bound": ("smoke/res-gcn", {**SHORT, "normalizer": "frobenius-soft"}),
    "momentum-and-cosine": (
        "smoke/res-gcn",
        {**SHORT, "optimizer": {"name": "sgd", "momentum": 0.9}, "schedule": {"name": "cosine", "warmup": "2 epochs"}},
    ),
    "patience": ("smoke/gcn", {"training.duration": "40 epochs", "training.patience": "3 epochs", "optimizer.lr": 0.3}),
    "rare-validation": ("smoke/res-gcn", {"training.duration": "11 epochs", "training.evaluate": "4 epochs"}),
}


def records(run: Run) -> dict[str, object]:
    """All that a run leaves, but for the time it took."""

    def lines(name: str) -> list[str]:
        file = run.path / name
        rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [json.dumps({key: value for key, value in row.items() if key != "seconds"}) for row in rows]

    result = {key: value for key, value in run.result.items() if not key.startswith("seconds")}
    return {
        "metrics": lines("metrics.jsonl"),
        "probes": lines("probes.jsonl"),
        "result": json.dumps(result),
        "weights": (run.path / "model.safetensors").read_bytes(),
        "names": sorted(file.name for file in run.path.iterdir()),
        "beside": sorted(file.name for file in run.path.parent.iterdir() if file.is_dir()),
    }


def interrupted_after(step: int):
    """A watcher's maker: Ctrl-C comes in the midst of so many steps from the start of this process."""

    class Nothing:
        def measured(self, row):
            pass

        def probed(self, row):
            pass

    def watch(built):
        taken = []

        def count(*_):
            taken.append(None)
            if len(taken) == step:
                signal.raise_signal(signal.SIGINT)

        built.optimizer.register_step_post_hook(count)
        return Nothing()

    return watch


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_run_leaves_what_an_uninterrupted_one_leaves(name, tmp_path):
    """Interrupted in its first step and every four steps after, to the bit: lines, result, weights."""
    recipe, changes = CASES[name]
    whole = zoo.train(recipe, changes, runs=tmp_path / "whole", device="cpu")
    times, run = 0, None
    while run is None:
        try:
            step = 1 if not times else 4
            run = zoo.train(
                recipe, changes, runs=tmp_path / "broken", device="cpu", resume=True, watch=interrupted_after(step)
            )
        except Interrupted as left:
            times += 1
            assert left.path is not None and (left.path / "state.pt").is_file()
    assert times == 1 + (whole.result["steps"] - 1) // 4
    assert records(run) == records(whole)


def test_saves_change_nothing(tmp_path):
    """A run whose state is saved after every step is that whose state is never saved."""
    never, always = (
        zoo.train("smoke/res-gcn", {"training.save": save}, runs=tmp_path / str(save), device="cpu")
        for save in ("100 steps", 1)
    )
    assert records(never) == records(always)


def test_a_state_of_another_run_is_refused(tmp_path):
    """A state whose numbers fit no tensor of the network is the user's mistake, and changes nothing in the folder."""
    folders: list[Path] = []
    for depth in (2, 3):
        changes = {"model.depth": depth, "training.duration": "5 epochs"}
        with pytest.raises(Interrupted) as left:
            zoo.train("smoke/gcn", changes, runs=tmp_path, device="cpu", watch=interrupted_after(2))
        assert left.value.path is not None
        folders.append(left.value.path)
    for name in ("state.pt", "metrics.jsonl"):
        (folders[0] / name).write_bytes((folders[1] / name).read_bytes())
    (folders[0] / "probes.jsonl").write_bytes((folders[1] / "probes.jsonl").read_bytes())
    with pytest.raises(TrainingError, match=r"resume — the saved state does not fit .* without --resume"):
        zoo.train("smoke/gcn", {"model.depth": 2, "training.duration": "5 epochs"}, runs=tmp_path, resume=True)
    assert (folders[0] / "state.pt").is_file()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def due_steps(saving, clock, *, steps, seconds, cost):
    """The steps after which a state is saved, when each takes so long, and a save takes `cost`."""
    saved = []
    saving.begin(0)
    for step in range(1, steps + 1):
        clock.now += seconds
        if saving.is_due(step):
            clock.now += cost
            saving.made(step, cost)
            saved.append(step)
    return saved


@pytest.mark.parametrize(("save", "every"), [("7 steps", 7), ("2 epochs", 10), ("10%", 10)])
def test_what_is_asked_for_is_kept_to_the_step(save, every):
    """Whatever it costs."""
    clock = Clock()
    saving = Saving(Training(save=save), 5, 100, clock)
    assert due_steps(saving, clock, steps=100, seconds=0.001, cost=60) == list(range(every, 101, every))


def test_a_tenth_of_the_training_where_saving_is_cheap():
    """Ten states, evenly."""
    clock = Clock()
    saving = Saving(Training(), 5, 1000, clock)
    assert due_steps(saving, clock, steps=1000, seconds=0.1, cost=0.1) == list(range(100, 1001, 100))


def test_cheap_steps_are_not_spent_on_saving():
    """Of many steps of a millisecond, saving takes no more than 2 % after the first."""
    clock = Clock()
    saved = due_steps(Saving(Training(), 1, 4000, clock), clock, steps=4000, seconds=0.001, cost=0.02)
    assert saved == pytest.approx([400, 1400, 2400, 3400], abs=3)


def test_no_more_than_ten_minutes_are_lost():
    """A training of days saves more often than every tenth."""
    clock = Clock()
    saved = due_steps(Saving(Training(), 1, 10_000, clock), clock, steps=100, seconds=60, cost=1)
    assert saved == list(range(10, 101, 10))


def test_the_clock_starts_with_the_training():
    """What was spent on getting ready, or before a resumption, makes no state due."""
    clock = Clock()
    saving = Saving(Training(), 1, 1000, clock)
    clock.now = 10_000
    saving.begin(500)
    assert not saving.is_due(501)
    assert not saving.is_due(599)
    assert saving.is_due(600)
