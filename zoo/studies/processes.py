"""Jobs, executors of jobs, and the executor with processes of this machine."""

import os
import signal
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Literal

import torch
from pebble import ProcessExpired, ProcessPool

from registry import load_plugin
from zoo import api
from zoo.errors import USER_ERRORS, ComponentError, RunBusy
from zoo.recipe.check import check
from zoo.recipe.recipe import Recipe
from zoo.runs import folder
from zoo.system.files import expanded
from zoo.system.process import choose_device
from zoo.system.stop import Terminated, terminate

GRACE = 30.0  # seconds for runs under way to finish a step and save their states when all is to end
PER_GPU = 3  # narrow, deep networks leave a GPU mostly waiting for launches


@dataclass(frozen=True)
class Job:
    """One run to be trained, as plain data. path: its run folder below `runs`; again: not from a saved state."""

    name: str
    tree: Mapping[str, Any]
    seed: int
    runs: str
    path: str
    again: bool = False

    @classmethod
    def of(cls, recipe: Recipe, seed: int, runs: Path, *, again: bool = False) -> "Job":
        """Return the job of training a recipe with a seed."""
        path = folder.place(runs, recipe, api.identity_of(recipe), seed)
        return cls(recipe.name, recipe.plain(), seed, str(expanded(runs).absolute()), str(path.absolute()), again)


@dataclass(frozen=True)
class JobResult:
    """The end of a job: `busy` if another process trains that run, `died` if its own process did; and the reason."""

    status: Literal["done", "failed", "busy", "died"]
    reason: str = ""


class Executor(ABC):
    """Trains jobs, up to `slots` at once; `why` explains their number. A job whose process dies ends as `died`."""

    slots: int
    why: str

    @abstractmethod
    def start(self, job: Job) -> None:
        """Begin a job; called only while fewer than `slots` are under way."""

    @abstractmethod
    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """Return the jobs that ended since the last call, after `seconds` at the latest, possibly none."""

    @abstractmethod
    def close(self) -> None:
        """Stop everything; interrupted runs keep the state that they saved last."""


def train_job(job: Job, device: str, threads: int | None = None) -> JobResult:
    """Train the run of a job on a device, from its saved state if there is one; errors are noted in its folder."""
    trace = ""
    try:
        tree = dict(job.tree)
        for plugin in tree.get("plugins", ()):
            load_plugin(plugin)
        anew = job.again and not folder.is_finished(Path(job.path))  # by another process meanwhile
        tree["execution"] = {**tree["execution"], "device": device, **({"threads": threads} if threads else {})}
        api.train(check(job.name, tree), seed=job.seed, runs=job.runs, resume=not job.again, again=anew)
        return JobResult("done")
    except RunBusy as error:
        return JobResult("busy", str(error))
    except ComponentError as error:  # mostly a bug in a plug-in, whose author wants the trace
        reason, trace = str(error).partition("\n")[0], traceback.format_exc()
    except USER_ERRORS as error:
        reason = str(error)
    except Exception as error:  # a bug must not end the runs after it
        reason, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
    try:
        folder.note_failure(Path(job.path), reason, trace)
    except OSError as error:
        reason = f"{reason} (and {folder.FAILURE} cannot be written: {error})"
    return JobResult("failed", reason)


class Processes(Executor):
    """Worker processes that live as long as the study, each training one run at a time.

    device: auto, cpu, cuda or cuda:N. workers: how many; unset: one single-thread process for each CPU core that this
    process may use, or three for each GPU. A worker that dies is replaced; all die with the process that started them.
    A worker that gets a SIGTERM saves the state of its run first.
    """

    def __init__(self, device: str = "auto", workers: int | None = None) -> None:
        chosen, choice = choose_device(device)
        if chosen.type == "cpu":
            cores = len(os.sched_getaffinity(0))
            self.slots, self.threads = workers or cores, max(1, cores // (workers or cores))
            self.why = f"{cores} CPU cores, one single-thread process each"
            names = ["cpu"]
        else:
            count = torch.cuda.device_count() if device in ("auto", "cuda") else 1
            names = [f"cuda:{index}" for index in range(count)] if count > 1 else [str(chosen)]
            self.slots, self.threads = workers or PER_GPU * len(names), None
            self.why = f"{len(names)} GPU{'s' if len(names) > 1 else ''}, {PER_GPU} runs on each ({choice.why})"
        if workers:
            self.why = "asked for"
        self._free = [names[place % len(names)] for place in range(self.slots)]
        context = get_context("spawn")  # a fork of a process that has used threads or CUDA may hang
        self._stopping, self._begun = context.Event(), context.SimpleQueue()
        self._pool = ProcessPool(
            max_workers=self.slots,
            initializer=_start_worker,
            initargs=(os.getpid(), self.threads, self._stopping, self._begun),
            context=context,
        )
        self._running: dict[Future[JobResult], tuple[Job, str]] = {}

    def start(self, job: Job) -> None:
        """Hand a job to a free worker."""
        device = self._free.pop()
        self._running[self._pool.schedule(_train_in_worker, args=(job, device, self.threads))] = job, device

    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """Return the jobs that ended; a killed worker's names the signal."""
        if not self._running:
            time.sleep(seconds)
            return ()
        done, _ = wait_for(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        return [self._ended(future) for future in done]

    def close(self) -> None:
        """Terminate the workers; those that train save their state first. A Ctrl-C meanwhile ends them at once."""
        try:
            if self._running:
                self._stopping.set()
                self._terminate_training()
                wait_for(self._running, timeout=GRACE)
        finally:
            self._pool.stop()
            self._pool.join()

    def _terminate_training(self) -> None:
        pids: dict[str, int] = {}
        while not self._begun.empty():
            path, pid = self._begun.get()
            pids[path] = pid
        alive = {child.pid for child in active_children()}
        for job, _ in self._running.values():
            if (pid := pids.get(job.path)) in alive and pid is not None:
                os.kill(pid, signal.SIGTERM)

    def _ended(self, future: Future[JobResult]) -> tuple[Job, JobResult]:
        job, device = self._running.pop(future)
        self._free.append(device)
        try:
            return job, future.result()
        except ProcessExpired as error:
            return job, JobResult("died", _cause_of_death(error.exitcode))
        except CancelledError:
            return job, JobResult("died", _cause_of_death(None))


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode == signal.SIGTERM:  # pebble catches it, cleans up, and ends with its number
        exitcode = -signal.SIGTERM
    if exitcode is None or exitcode >= 0:
        return f"its process ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


# State of a worker: set while the study is being ended; queue of (run folder, process id) of the jobs that were begun.
_stopping: Any = None
_begun: Any = None


def _start_worker(parent: int, threads: int | None, stopping: Any, begun: Any) -> None:
    """Initialise a worker: leave Ctrl-C to the parent, and exit when the parent ends, however it does."""
    global _stopping, _begun
    _stopping, _begun = stopping, begun
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads:
        torch.set_num_threads(threads)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _train_in_worker(job: Job, device: str, threads: int | None) -> JobResult:
    """Train a job. After a SIGTERM the state is saved, and the worker ends as pebble would have it end."""
    end: Any = signal.signal(signal.SIGTERM, terminate)
    try:
        _begun.put((job.path, os.getpid()))  # before the check: a worker that gets no signal sees the event
        return JobResult("died", "the study was ended") if _stopping.is_set() else train_job(job, device, threads)
    except Terminated as left:
        if not _stopping.is_set():
            end(signal.SIGTERM, None)
        return JobResult("died", f"the study was ended: {left}")
    finally:
        signal.signal(signal.SIGTERM, end)
