"""Training of a study: executors by name, and the loop that gives them the open runs until none is left."""

import errno
import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from zoo.errors import ZooError
from zoo.runs import folder
from zoo.runs.folder import writing
from zoo.studies.processes import Executor, Job, JobResult, Processes
from zoo.studies.study_plan import PlannedRun, StudyPlan

EXECUTORS = ("processes", "ray")
DEATHS = 3  # a run whose process died so often is given up
LOOK_AGAIN = 5.0  # seconds until a run that another process holds is checked again
BEAT = 0.5  # seconds between two checks of the runs under way

Failures = Sequence[tuple[PlannedRun, str]]


def make_executor(
    name: str = "processes", *, device: str = "auto", workers: int | None = None, address: str | None = None
) -> Executor:
    """Make the executor of that name.

    device: auto, cpu, cuda or cuda:N. workers: runs at a time; unset: by the machine. address: of a Ray cluster.
    Raises: ZooError for an unknown name, an address without Ray, or if Ray is not installed.
    """
    if name not in EXECUTORS:
        raise ZooError(f"executor — {name!r} is none — expected {' or '.join(EXECUTORS)}")
    if name == "ray":
        from zoo.studies.on_ray import OnRay

        return OnRay(device, workers, address)
    if address is not None:
        raise ZooError(f"executor.address — {address} has no meaning for processes — expected --executor ray with it")
    return Processes(device, workers)


class StudyWatcher(Protocol):
    """Callbacks of a study in training, such as a progress bar."""

    def started(self, run: PlannedRun) -> None:
        """Note that a run was handed to the executor."""
        ...

    def ended(self, run: PlannedRun, result: JobResult) -> None:
        """Note that a run has ended."""
        ...

    def beat(self, plan: StudyPlan, under_way: Collection[PlannedRun]) -> None:
        """Update a display: called several times a second, and after every change."""
        ...


def run_study(
    plan: StudyPlan, executor: Executor, *, retry: bool = False, watcher: StudyWatcher | None = None
) -> Failures:
    """Train every run of a plan that is not finished; returns those that failed, now or before, each with its reason.

    Failed runs stay failed; with `retry` each is tried once more, from the start. Several processes may work on one
    plan: a run that another one trains is left to it and waited for. A run whose process dies resumes from its saved
    state, twice at most. One that met a number that is not finite has a result, and did not fail. The caller closes the
    executor.
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
    while (wanted := [run for run in plan.runs() if not plan.is_over(run)]) or under_way:
        for run in wanted:
            if len(under_way) >= executor.slots:
                break
            if run.path in {other.path for other in under_way.values()}:
                continue
            if busy_until.get(run.path, 0.0) > time.monotonic():
                continue
            job = Job.of(run.recipe, run.seed, plan.root, again=run.failure is not None)
            under_way[job.path] = run
            executor.start(job)
            if watcher:
                watcher.started(run)
        if watcher:
            watcher.beat(plan, under_way.values())
        for job, result in executor.wait(BEAT):
            run = under_way.pop(job.path)
            if result.status == "busy":
                busy_until[run.path] = time.monotonic() + LOOK_AGAIN
                continue
            if result.status == "died":
                deaths[run.path] += 1
                if deaths[run.path] == DEATHS:
                    result = JobResult("failed", f"{result.reason}, {DEATHS} times in a row")
                    folder.note_failure(run.path, result.reason)
            if result.status != "died":
                plan.tried(run)
            if result.status == "failed":
                reasons[run.path] = result.reason
            if watcher:
                watcher.ended(run, result)
    left = [run for run in plan.runs() if not run.finished]
    return [(run, reasons.get(run.path) or run.failure or "it left no result") for run in left]
