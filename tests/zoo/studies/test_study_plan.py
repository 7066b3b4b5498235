"""What a study has still to train, told from the folders alone."""

import json
import os

import pytest

from zoo import api
from zoo.identity import OtherData
from zoo.recipe.load import load
from zoo.runs import folder
from zoo.runs.run_lock import claim
from zoo.studies.study_plan import PlannedRun, StudyPlan
from zoo.studies.study_schema import Range, Space, Study, Tuning

LR = {"optimizer.lr": (0.1, 0.01, 0.001)}


def study(**keys) -> Study:
    return Study.model_validate({"name": "s", "base": "smoke/res-gcn", "seeds": (0, 1), **keys})


def lr(run: PlannedRun) -> float:
    return run.recipe.optimizer.options["lr"]


@pytest.fixture
def finish(result):
    """Writes a result for a planned run."""
    return lambda run, **figures: result(run.path, run.recipe, run.seed, **figures)


def test_runs_come_arm_by_arm_split_by_split(tmp_path):
    """Each has its place in words, its split, and the folder in which `train` would put it."""
    plan = StudyPlan(study(vary={"model.depth": (2, 3)}, splits=(0, 5)), tmp_path)
    runs = list(plan.runs())
    assert [run.title for run in runs[:4]] == [
        f"model.depth 2, seed {seed}, split {split}" for split in (0, 5) for seed in (0, 1)
    ]
    assert [(run.recipe.model.options["depth"], run.recipe.split.options["seed"], run.seed) for run in runs] == [
        (depth, split, seed) for depth in (2, 3) for split in (0, 5) for seed in (0, 1)
    ]
    for run in runs:
        recipe = load("smoke/res-gcn", {"model.depth": run.recipe.model.options["depth"], "split.seed": run.split})
        assert run.path == folder.place(tmp_path, recipe, api.identity_of(recipe), run.seed)
    assert len({run.path for run in runs}) == 8


def test_a_run_of_other_data_is_still_to_be_trained(tmp_path, finish, monkeypatch):
    """Its result counts for nothing until another is there; for each data set and seed the data are loaded once."""
    for run in StudyPlan(study(), tmp_path).runs():
        finish(run)
        record = {"data": {"digest": "blake2b:old", "files": {"own/table": "sha256:0"}}}
        (run.path / "environment.json").write_text(json.dumps(record))
    with pytest.warns(OtherData, match="its data set has changed since"):
        plan = StudyPlan(study(), tmp_path)
    assert [run.state for run in plan.runs()] == ["waiting", "waiting"]
    one, other = plan.runs()
    monkeypatch.setattr("zoo.identity.load_data", lambda *_: pytest.fail("the data were loaded again"))
    os.utime(one.path / folder.RESULT, ns=(1, 1))  # as if it had just been trained
    assert [run.finished for run in (one, other)] == [True, False]


def test_without_numbers_each_seed_has_its_own_split(tmp_path):
    """The recipe's split is left as it is."""
    runs = list(StudyPlan(study(), tmp_path).runs())
    assert [(run.split, run.recipe.split.options["seed"]) for run in runs] == [(None, None)] * 2


def test_states_are_read_off_the_folder(tmp_path, finish):
    """Waiting, running while a process holds it, failed with the reason, running again, finished."""
    run = next(StudyPlan(study(), tmp_path).runs())
    states = [run.state]
    with claim(run.path):
        states.append(run.state)
    folder.note_failure(run.path, "out of luck")
    states.append(run.state)
    assert run.failure == "out of luck"
    with claim(run.path):
        states.append(run.state)
    finish(run)
    states.append(run.state)
    assert states == ["waiting", "running", "failed", "running", "finished"]
    assert run.failure is None


def test_a_run_of_another_name_counts(tmp_path, finish):
    """What a recipe of equal identity has made, under whatever name and by whatever command, is taken as it is."""
    (tmp_path / "mine.yaml").write_text("extends: smoke/res-gcn\n")
    own = StudyPlan(study(base=str(tmp_path / "mine.yaml")), tmp_path / "runs")
    first, second = own.runs()
    assert first.recipe.name == "mine"
    finish(first, test=0.75)
    taken, left = StudyPlan(study(), tmp_path / "runs").runs()
    assert (taken.path, taken.state, left.state) == (first.path, "finished", "waiting")
    assert left.path != second.path
    probed = study(change={"probes": "deep", "execution.kernel": "torch"})
    assert next(StudyPlan(probed, tmp_path / "runs").runs()).path == first.path  # neither changes the result


def test_what_was_moved_aside_does_not_count(tmp_path, finish):
    """A finished run that was moved aside, to be trained anew, is not taken for the new one."""
    run = next(StudyPlan(study(), tmp_path).runs())
    finish(run)
    run.path.rename(run.path.with_name("seed-0.previous-1"))
    assert next(StudyPlan(study(), tmp_path).runs()).state == "waiting"


def test_equal_recipes_share_their_runs(tmp_path):
    """Cells of equal identity, under one name or two, are trained once."""
    (tmp_path / "mine.yaml").write_text("extends: smoke/res-gcn\n")
    vary = {
        "m": {"A": {}, "B": {"base": str(tmp_path / "mine.yaml")}, "C": {"model.depth": 4}, "D": {"model.depth": 2}}
    }
    plan = StudyPlan(study(vary=vary), tmp_path)
    assert len(list(plan.runs())) == 4
    a, b, c, d = ([run.path for run in searched.final or ()] for searched in plan.cells)
    assert a == b == c != d
    assert {run.recipe.name for run in plan.runs()} == {"smoke/res-gcn"}
    assert [run.title for searched in plan.cells for run in searched.final or ()][::2] == [
        f"m {m}, seed 0" for m in "ABCD"
    ]


def test_validation_alone_chooses(tmp_path, finish):
    """The setting with the best mean validation is reported, though another one would test better."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR, seeds=(0, 1))), tmp_path)
    (searched,) = plan.cells
    trials = list(plan.runs())
    assert (len(trials), searched.final, searched.still_unknown) == (6, None, 2)
    assert [run.title for run in trials[:2]] == [f"trial: optimizer.lr=0.1, seed {seed}" for seed in (0, 1)]
    figures = {0.1: ((0.9, 0.99), (0.1, 0.99)), 0.01: ((0.6, 0.1), (0.6, 0.2)), 0.001: ((0.5, 0.9), (0.5, 0.9))}
    for run in trials[:-1]:
        val, test = figures[lr(run)][run.seed]
        finish(run, val=val, test=test)
        assert list(plan.runs()) == trials  # nothing follows from a search that is not over
        assert searched.final is None
    finish(trials[-1], val=0.5, test=0.9)
    assert list(plan.runs()) == trials  # the chosen runs are among the trials
    assert dict(searched.params) == {"optimizer.lr": 0.01}
    assert [(lr(run), run.seed) for run in searched.final or ()] == [(0.01, 0), (0.01, 1)]
    assert [trial.value for trial in searched.trials] == [0.5, 0.6, 0.5]
    assert searched.still_unknown == 0


def test_reported_runs_have_the_seeds_and_splits_of_the_study(tmp_path, finish):
    """Trials have their own: one seed and the first split, if nothing else is said."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR), seeds=(5, 6), splits=(2, 3)), tmp_path)
    trials = list(plan.runs())
    assert [(lr(run), run.seed, run.split) for run in trials] == [(value, 0, 2) for value in LR["optimizer.lr"]]
    assert plan.cells[0].still_unknown == 4
    for number, run in enumerate(trials):
        finish(run, val=number / 10)
    runs = list(plan.runs())[3:]
    assert [(lr(run), run.seed, run.split) for run in runs] == [
        (0.001, seed, split) for split in (2, 3) for seed in (5, 6)
    ]
    own = StudyPlan(study(tune=Tuning(method="grid", space=LR, splits=(7, 8), seeds=(3,))), tmp_path)
    assert [(run.seed, run.split) for run in own.runs()] == [(3, 7), (3, 8)] * 3


def test_a_lower_metric_may_be_better(tmp_path, finish):
    """The direction is that of the metric, as the runs have written it."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR)), tmp_path)
    for number, run in enumerate(list(plan.runs())):
        finish(run, val=number / 10, higher_is_better=False, metric="mean absolute error")
    list(plan.runs())
    assert dict(plan.cells[0].params) == {"optimizer.lr": 0.1}


def test_each_cell_has_the_direction_of_its_own_metric(tmp_path, finish):
    """In a study of several tasks one cell is chosen by the highest value, the other by the lowest."""
    plan = StudyPlan(study(vary={"model.depth": (2, 3)}, tune=Tuning(method="grid", space=LR)), tmp_path)
    for number, run in enumerate(list(plan.runs())):
        lower = run.recipe.model.options["depth"] == 3
        finish(run, val=number / 10, higher_is_better=not lower, metric="rmse" if lower else "accuracy")
    list(plan.runs())
    first, *_, last = LR["optimizer.lr"]
    assert [dict(searched.params)["optimizer.lr"] for searched in plan.cells] == [last, first]


def test_failed_and_diverged_trials_have_no_value(tmp_path, finish):
    """They are spent, and never chosen; a trial of several runs needs all of them."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR, seeds=(0, 1))), tmp_path)
    runs = list(plan.runs())
    for run in runs:
        if lr(run) == 0.1 and run.seed == 0:
            folder.note_failure(run.path, "out of luck")
        else:
            finish(run, val=None if lr(run) == 0.01 and run.seed else 0.9 if lr(run) > 0.005 else 0.1)
    list(plan.runs())
    (searched,) = plan.cells
    assert [trial.value for trial in searched.trials] == [None, None, 0.1]
    assert dict(searched.params) == {"optimizer.lr": 0.001}


def test_a_search_without_any_value_is_hopeless(tmp_path):
    """There is no setting to report, and nothing is waited for."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR)), tmp_path)
    (searched,) = plan.cells
    assert not searched.is_hopeless
    for run in list(plan.runs()):
        folder.note_failure(run.path, "out of luck")
    assert len(list(plan.runs())) == 3
    assert (searched.is_hopeless, searched.final, searched.still_unknown, searched.reported) == (
        True,
        None,
        0,
        2,
    )


def test_rounds_follow_rounds(tmp_path, finish):
    """A search in rounds plans the next when the last run of one is over, and a new plan over the folders the same."""
    pytest.importorskip("optuna")
    space: Space = {"optimizer.lr": Range(low=0.001, high=0.1, log=True)}
    tuned = study(tune=Tuning(trials=5, round=2, space=space), seeds=(0, 9))
    plan = StudyPlan(tuned, tmp_path)
    (searched,) = plan.cells
    seen = []
    while not all(run.finished for run in plan.runs()):
        seen.append((len(list(plan.runs())), searched.still_unknown))
        assert [run.path for run in StudyPlan(tuned, tmp_path).runs()] == [run.path for run in plan.runs()]
        run = next(run for run in plan.runs() if not run.finished)
        finish(run, val=1 - lr(run), test=lr(run))
    # two, four, five trials are known, with two to report; of these the one with seed 0 is a trial's
    assert seen == [(2, 5), (2, 5), (4, 3), (4, 3), (5, 2), (6, 0)]
    assert len(searched.trials) == 5
    assert searched.params["optimizer.lr"] == min(lr(run) for run in plan.runs())
    assert [run.path for run in StudyPlan(tuned, tmp_path).runs()] == [run.path for run in plan.runs()]


def test_a_cell_without_a_space_is_tried_once(tmp_path, finish):
    """Beside cells that are searched, one with nothing to tune spends no budget."""
    tuning = Tuning(method="random", trials=4)
    pytest.importorskip("optuna")
    vary = {"m": {"fixed": {}, "tuned": {"space": {"optimizer.lr": [0.1, 0.2, 0.3]}}}}
    plan = StudyPlan(study(tune=tuning, vary=vary), tmp_path)
    fixed, tuned = plan.cells
    assert (len(fixed.runs), fixed.still_unknown) == (1, 2)
    assert tuned.still_unknown == 2
    finish(fixed.runs[0], val=0.5)
    list(plan.runs())
    assert len(fixed.final or ()) == 2


def test_failed_runs_are_over_until_they_are_tried_again(tmp_path, finish):
    """With `retry` a search waits for them as for others, and chooses as if they had never failed."""
    plan = StudyPlan(study(tune=Tuning(method="grid", space=LR), seeds=(0,)), tmp_path)
    first, *others = plan.runs()
    folder.note_failure(first.path, "out of luck")
    for run in others:
        finish(run, val=0.5)
    list(plan.runs())
    assert plan.is_over(first)
    assert dict(plan.cells[0].params) == {"optimizer.lr": 0.01}
    plan.retry()
    assert not plan.is_over(first)
    assert plan.cells[0].final is None
    finish(first, val=0.9)
    plan.tried(first)
    list(plan.runs())
    assert dict(plan.cells[0].params) == {"optimizer.lr": 0.1}
    assert dict(StudyPlan(plan.study, tmp_path).cells[0].params) == {"optimizer.lr": 0.1}


def test_a_failure_is_tried_again_once(tmp_path):
    """What fails again stays failed."""
    plan = StudyPlan(study(seeds=(0,)), tmp_path)
    (run,) = plan.runs()
    folder.note_failure(run.path, "out of luck")
    plan.retry()
    assert not plan.is_over(run)
    plan.tried(run)
    assert plan.is_over(run)
    assert run.state == "failed"


def test_a_result_without_a_direction_is_read(tmp_path, finish):
    """Runs from before the direction was written are of metrics of which higher is better."""
    plan = StudyPlan(study(seeds=(0,), tune=Tuning(method="grid", space=LR)), tmp_path)
    for number, run in enumerate(list(plan.runs())):
        finish(run, val=number / 10)
        values = json.loads((run.path / folder.RESULT).read_text())
        del values["higher_is_better"]
        (run.path / folder.RESULT).write_text(json.dumps(values))
    list(plan.runs())
    assert dict(plan.cells[0].params) == {"optimizer.lr": LR["optimizer.lr"][-1]}


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path):
    """Planning makes nothing."""
    list(StudyPlan(study(), tmp_path / "none").runs())
    assert not (tmp_path / "none").exists()
