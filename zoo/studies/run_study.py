"""Training a study: what is wanted goes to the executor, until nothing is wanted any more."""

import errno
import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from zoo.runs import folder
from zoo.runs.folder import writing
from zoo.studies.executor import Executor
from zoo.studies.job import Job, JobResult
from zoo.studies.study_plan import PlannedRun, StudyPlan

DEATHS = 3  # a run whose process died so often is given up
LOOK_AGAIN = 5.0  # seconds until a run that another process holds is looked at again
BEAT = 0.5  # seconds between two looks at what is under way


class StudyWatcher(Protocol):
    """Sees a study pass by, as a progress bar does."""

    def started(self, run: PlannedRun) -> None:
        """A run has been handed to the executor."""
        ...

    def ended(self, run: PlannedRun, ended: JobResult) -> None:
        """A run has ended."""
        ...

    def beat(self, plan: StudyPlan, under_way: Collection[PlannedRun]) -> None:
        """Called several times a second, and after every change."""
        ...


Failures = Sequence[tuple[PlannedRun, str]]


def run_study(
    plan: StudyPlan, executor: Executor, *, retry: bool = False, watcher: StudyWatcher | None = None
) -> Failures:
    """Train every run of a plan that is not finished; returns those that failed, now or before, each with its reason.

    Runs that failed stay failed; with `retry` each is tried once more, from the start. Several processes may work on
    one plan: a run that another one trains is left to it and waited for. A run whose process dies is begun again from
    its saved state, twice at most. One that met a number that is not finite has a result, and did not fail. The caller
    closes the executor.
    """
    with writing(plan.root):  # once, and not for each of hundreds of runs
        plan.root.mkdir(parents=True, exist_ok=True)
        if not os.access(plan.root, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(plan.root))
    under_way: dict[str, PlannedRun] = {}
    busy_until: dict[Path, float] = {}
    deaths: Counter[Path] = Counter()
    reasons: dict[Path, str] = {}
    if retry:
        plan.retry()
    while True:
        wanted = [run for run in plan.runs() if not plan.is_over(run)]
        if not wanted and not under_way:
            break
        now = time.monotonic()
        for run in wanted:
            if len(under_way) >= executor.slots:
                break
            job = Job.of(run.recipe, run.seed, plan.root, again=run.failure is not None)
            if job.path in under_way or busy_until.get(run.path, 0.0) > now:
                continue
            under_way[job.path] = run
            executor.start(job)
            if watcher:
                watcher.started(run)
        if watcher:
            watcher.beat(plan, under_way.values())
        for job, ended in executor.wait(BEAT):
            run = under_way.pop(job.path)
            if ended.how == "busy":
                busy_until[run.path] = time.monotonic() + LOOK_AGAIN
                continue
            if ended.how == "died":
                deaths[run.path] += 1
                if deaths[run.path] == DEATHS:
                    ended = JobResult("failed", f"{ended.reason}, {DEATHS} times in a row")
                    folder.note_failure(run.path, ended.reason)
            if ended.how != "died":
                plan.tried(run)
            if ended.how == "failed":
                reasons[run.path] = ended.reason
            if watcher:
                watcher.ended(run, ended)
    left = [run for run in plan.runs() if not run.finished]
    return [(run, reasons.get(run.path) or run.failure or "it left no result") for run in left]
