"""Training a study: each run once, whatever ends it."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from zoo.runs import folder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim
from zoo.studies import run_study as module
from zoo.studies.processes import Job, JobResult, train_job
from zoo.studies.results import cells
from zoo.studies.run_study import DEATHS, run_study
from zoo.studies.study_plan import PlannedRun, StudyPlan
from zoo.studies.study_schema import Study, Tuning


def study(**keys) -> Study:
    return Study.model_validate(
        {"name": "s", "base": "smoke/res-gcn", "vary": {"model.depth": (2, 3)}, "seeds": (0, 1), **keys}
    )


def inline(job: Job) -> JobResult:
    return train_job(job, "cpu", 1)


def right(recipe, seed) -> tuple[float, float]:
    return 0.5, 0.5


class Log:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.over: list[tuple[str, JobResult]] = []
        self.most = 0

    def started(self, run: PlannedRun) -> None:
        self.begun.append(run.title)

    def ended(self, run: PlannedRun, result: JobResult) -> None:
        self.over.append((run.title, result))

    def beat(self, plan: StudyPlan, under_way: Collection[PlannedRun]) -> None:
        self.most = max(self.most, len(under_way))


def test_what_failed_is_returned_with_its_reason(tmp_path, pretend, scored):
    """Now or before, noted in its folder or not; a run that diverged has a result, and is not among them."""

    def act(job: Job) -> JobResult:
        if job.tree["model"]["depth"] == 2:
            if job.seed:
                folder.note_failure(Path(job.path), "noted")
            return JobResult("failed", "noted" if job.seed else "told alone")
        return scored(lambda recipe, seed: (None, None))(job)

    plan = StudyPlan(study(), tmp_path)
    failures = run_study(plan, pretend(act))
    assert [(run.title, reason) for run, reason in failures] == [
        ("model.depth 2, seed 0", "told alone"),
        ("model.depth 2, seed 1", "noted"),
    ]
    again = run_study(StudyPlan(study(), tmp_path), pretend(scored(right)))
    assert [(run.title, reason) for run, reason in again] == [("model.depth 2, seed 1", "noted")]
    assert not run_study(StudyPlan(study(), tmp_path), pretend(scored(right)), retry=True)


def test_every_run_is_trained_once(tmp_path, pretend):
    """All that is missing, in order, never more at a time than there are slots; then nothing is left to do."""
    plan, executor, log = StudyPlan(study(), tmp_path), pretend(inline), Log()
    run_study(plan, executor, watcher=log)
    assert [run.state for run in plan.runs()] == ["finished"] * 4
    assert [job.path for job in executor.started] == [str(run.path) for run in plan.runs()]
    assert log.begun == [title for title, _ in log.over] == [run.title for run in plan.runs()]
    assert {ended for _, ended in log.over} == {JobResult("done")}
    assert log.most == 2
    for again in (plan, StudyPlan(study(), tmp_path)):
        run_study(again, executor)
        run_study(again, executor, retry=True)
    assert len(executor.started) == 4


def test_a_larger_study_trains_what_is_new(tmp_path, pretend, scored):
    """More seeds, another axis: runs that are there count."""
    executor = pretend(scored(right))
    run_study(StudyPlan(study(), tmp_path), executor)
    run_study(StudyPlan(study(seeds=(0, 1, 2)), tmp_path), executor)
    run_study(
        StudyPlan(
            study(vary={"model.depth": (2, 3), "normalizer": ("layer", {"name": "frobenius", "c": 0.5})}), tmp_path
        ),
        executor,
    )
    assert len(executor.started) == 4 + 2 + 4
    assert len({job.path for job in executor.started}) == 10


def test_equal_runs_under_two_names_are_trained_once(tmp_path, pretend, scored):
    """In one study, and in a study after another."""
    (tmp_path / "mine.yaml").write_text("extends: smoke/res-gcn\n")
    mine = str(tmp_path / "mine.yaml")
    executor = pretend(scored(right))
    plan = StudyPlan(study(vary={"m": {"A": {}, "B": {"base": mine}}}), tmp_path / "runs")
    run_study(plan, executor)
    assert len(executor.started) == 2
    assert [cell.tests for cell in cells(plan)] == [(0.5, 0.5)] * 2
    run_study(StudyPlan(study(base=mine, vary={}), tmp_path / "runs"), executor)
    assert len(executor.started) == 2


def test_failed_runs_are_kept_and_tried_again_when_asked(tmp_path, pretend, scored):
    """A failure ends its run alone; `retry` moves it aside under a name that says so, and trains it anew."""
    broken = {"now": True}
    good = scored(right)

    def act(job: Job) -> JobResult:
        if broken["now"] and job.seed == 1:
            folder.note_failure(job_path(job), "out of luck")
            return JobResult("failed", "out of luck")
        return good(job)

    plan, executor, log = StudyPlan(study(), tmp_path), pretend(act), Log()
    run_study(plan, executor, watcher=log)
    assert [run.state for run in plan.runs()] == ["finished", "failed"] * 2
    assert [run.failure for run in plan.runs()] == [None, "out of luck"] * 2
    assert Counter(ended for _, ended in log.over) == {JobResult("done"): 2, JobResult("failed", "out of luck"): 2}
    assert [(len(cell.scores), cell.failed, cell.missing) for cell in cells(plan)] == [(1, 1, 0)] * 2

    run_study(StudyPlan(study(), tmp_path), executor)
    assert len(executor.started) == 4
    run_study(StudyPlan(study(), tmp_path), executor, retry=True)
    assert [(job.seed, job.again) for job in executor.started[4:]] == [(1, True)] * 2
    assert [run.state for run in plan.runs()] == ["finished", "failed"] * 2

    broken["now"] = False
    run_study(StudyPlan(study(), tmp_path), executor, retry=True)
    assert len(executor.started) == 8
    assert [run.state for run in plan.runs()] == ["finished"] * 4
    asides = sorted(path.name for path in tmp_path.rglob("seed-1.failed-*"))
    assert asides == ["seed-1.failed-1"] * 2
    assert all(folder.failure_of(path) == "out of luck" for path in tmp_path.rglob("seed-1.failed-*"))


def job_path(job: Job):
    return folder.Path(job.path)


def test_a_run_whose_process_dies_is_begun_again_twice(tmp_path, pretend):
    """From its saved state; after the third death it is given up, with the reason in its folder."""
    plan, log = StudyPlan(study(vary={}), tmp_path), Log()
    executor = pretend(lambda job: JobResult("died", "killed by SIGKILL") if job.seed == 1 else inline(job))
    run_study(plan, executor, watcher=log)
    assert Counter(job.seed for job in executor.started) == {0: 1, 1: DEATHS}
    assert not any(job.again for job in executor.started)
    assert [run.state for run in plan.runs()] == ["finished", "failed"]
    assert [run.failure for run in plan.runs()] == [None, "killed by SIGKILL, 3 times in a row"]
    assert [ended.status for title, ended in log.over if "seed 1" in title] == ["died", "died", "failed"]


def test_a_run_that_dies_once_is_finished(tmp_path, pretend, scored):
    """One death is no failure."""
    good, died = scored(right), set()

    def act(job: Job) -> JobResult:
        if job.path not in died:
            died.add(job.path)
            return JobResult("died", "killed")
        return good(job)

    plan = StudyPlan(study(), tmp_path)
    run_study(plan, pretend(act))
    assert [run.state for run in plan.runs()] == ["finished"] * 4


def test_a_death_before_a_retry_begins_spends_nothing(tmp_path, pretend, scored):
    """A failed run whose process dies before the old folder is moved aside has still its turn."""
    good, deaths = scored(right), [JobResult("died", "killed")]
    plan = StudyPlan(study(vary={}, seeds=(0,)), tmp_path)
    (run,) = plan.runs()
    folder.note_failure(run.path, "out of luck")
    executor = pretend(lambda job: deaths.pop() if deaths else good(job))
    run_study(plan, executor, retry=True)
    assert [job.again for job in executor.started] == [True, True]
    assert run.state == "finished"


def test_a_run_of_another_process_is_left_to_it(tmp_path, pretend, scored, monkeypatch):
    """It is looked at again after a while, others are trained meanwhile, and the study ends when it has ended."""
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.05)
    good, log = scored(right), Log()
    plan = StudyPlan(study(), tmp_path)
    theirs, *_ = plan.runs()
    held, looks = claim(theirs.path), []
    held.__enter__()

    def act(job: Job) -> JobResult:
        if job.path != str(theirs.path):
            return good(job)
        looks.append(job)
        ended = inline(job)
        if len(looks) == 3:  # the other process finishes it
            good(job)
            held.__exit__(None, None, None)
        return ended

    executor = pretend(act)
    run_study(plan, executor, watcher=log)
    assert [run.state for run in plan.runs()] == ["finished"] * 4
    assert len(looks) == 3
    assert len(executor.started) == 6
    assert theirs.title not in [title for title, _ in log.over]


def test_a_failure_of_another_process_is_a_failure(tmp_path, pretend, monkeypatch):
    """A run that failed under another process is not begun again here."""
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.05)
    plan = StudyPlan(study(vary={}, seeds=(0,)), tmp_path)
    (run,) = plan.runs()

    def act(job: Job) -> JobResult:
        folder.note_failure(run.path, "out of luck")
        return JobResult("busy", "held")

    executor = pretend(act)
    run_study(plan, executor)
    assert len(executor.started) == 1
    assert run.state == "failed"


@pytest.mark.parametrize("how", ["failed", "done"])
def test_what_leaves_no_word_is_not_begun_for_ever(how, tmp_path, pretend):
    """Where neither result nor failure can be written, a run has its turn once and counts as missing."""
    plan = StudyPlan(study(), tmp_path)
    executor = pretend(lambda _: JobResult(how, "the disk is full"))
    run_study(plan, executor)
    assert len(executor.started) == 4
    assert [cell.missing for cell in cells(plan)] == [2, 2]


def test_validation_decides_which_runs_are_reported(tmp_path, pretend, scored):
    """The setting with the best validation is trained for all seeds and reported, though the test prefers another."""
    figures = {0.1: (0.7, 0.2), 0.01: (0.6, 0.9), 0.001: (0.7, 0.8)}
    executor = pretend(scored(lambda recipe, seed: figures[recipe.optimizer.options["lr"]]))
    tuned = study(tune=Tuning(method="grid", space={"optimizer.lr": tuple(figures)}), seeds=(0, 1, 2))
    plan = StudyPlan(tuned, tmp_path)
    run_study(plan, executor)
    assert [dict(searched.params) for searched in plan.cells] == [{"optimizer.lr": 0.1}] * 2
    assert [cell.tests for cell in cells(plan)] == [(0.2, 0.2, 0.2)] * 2
    assert len(executor.started) == 2 * (3 + 2)  # the seed of the trial is not trained twice


def test_a_search_is_the_same_after_an_interruption(tmp_path, pretend, scored):
    """Broken off anywhere, it goes on with the trials that it would have made."""
    pytest.importorskip("optuna")
    space = {"optimizer.lr": {"low": 0.001, "high": 1.0, "log": True}, "model.dropout": [0.0, 0.5]}
    tuned = study(tune=Tuning(trials=6, round=2, space=space))
    good = scored(lambda recipe, seed: (1 - recipe.optimizer.options["lr"], 0.5))

    def broken(job: Job) -> JobResult:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return good(job)

    whole = pretend(good)
    run_study(StudyPlan(tuned, tmp_path / "whole"), whole)
    started = []
    for steps in (1, 3, 4):
        left = [None] * steps
        executor = pretend(broken, slots=3)
        with pytest.raises(KeyboardInterrupt):
            run_study(StudyPlan(tuned, tmp_path / "broken"), executor)
    left = [None] * 100
    plan = StudyPlan(tuned, tmp_path / "broken")
    run_study(plan, pretend(broken, slots=3))
    started = {run.path.relative_to(tmp_path / "broken") for run in plan.runs()}
    assert started == {job_path(job).relative_to(tmp_path / "whole") for job in whole.started}
    assert len(list((tmp_path / "broken").rglob("result.json"))) == len(whole.started)


def test_failed_trials_tried_again_count_in_the_search(tmp_path, pretend, scored):
    """After `retry` the table is that of a search in which nothing had failed."""
    good, broken = scored(lambda recipe, seed: (recipe.optimizer.options["lr"], 0.5)), [True]

    def act(job: Job) -> JobResult:
        if broken and job.tree["optimizer"]["lr"] == 0.3:
            folder.note_failure(job_path(job), "out of luck")
            return JobResult("failed", "out of luck")
        return good(job)

    tuned = study(tune=Tuning(method="grid", space={"optimizer.lr": (0.1, 0.2, 0.3)}), vary={})
    plan, executor = StudyPlan(tuned, tmp_path), pretend(act)
    run_study(plan, executor)
    assert dict(plan.cells[0].params) == {"optimizer.lr": 0.2}
    broken.clear()
    again = StudyPlan(tuned, tmp_path)
    run_study(again, executor, retry=True)
    assert dict(again.cells[0].params) == {"optimizer.lr": 0.3}
    assert cells(again) == cells(StudyPlan(tuned, tmp_path))
    assert cells(again)[0].tests == (0.5, 0.5)


def test_an_interruption_leaves_everything_to_go_on_with(tmp_path, pretend):
    """Ctrl-C while runs are waited for comes out at once; the same study then trains what is left, to equal figures."""

    def interrupted(job: Job) -> JobResult:
        if job.seed == 1:
            raise KeyboardInterrupt
        return inline(job)

    with pytest.raises(KeyboardInterrupt):
        run_study(StudyPlan(study(), tmp_path / "a"), pretend(interrupted))
    plan, executor = StudyPlan(study(), tmp_path / "a"), pretend(inline)
    assert [run.state for run in plan.runs()] == ["finished", "waiting", "waiting", "waiting"]
    run_study(plan, executor)
    assert len(executor.started) == 3
    whole = StudyPlan(study(), tmp_path / "b")
    run_study(whole, pretend(inline))
    assert [Run(run.path).test for run in plan.runs()] == [Run(run.path).test for run in whole.runs()]
