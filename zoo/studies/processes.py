"""Runs in processes of this machine: on a CPU one for each core, on GPUs several for each."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from multiprocessing import active_children, get_context
from typing import Any

import torch
from pebble import ProcessExpired, ProcessPool

from zoo.studies.executor import Executor
from zoo.studies.job import Job, JobResult, work
from zoo.system.process import choose_device
from zoo.system.stop import Terminated, terminate

GRACE = 30.0  # seconds that runs under way have to finish a step and save their states when all is to end
PER_GPU = 3  # narrow, deep networks leave a GPU mostly waiting for launches


class Processes(Executor):
    """Worker processes that live as long as the study, each training one run at a time.

    device: auto, cpu, cuda or cuda:N. workers: how many; unset: one single-thread process for each CPU core that this
    process may use, or three for each GPU. A worker that dies is replaced; all die with the process that started them.
    One that gets a SIGTERM saves the state of its run first.
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
            initializer=_prepare,
            initargs=(os.getpid(), self.threads, self._stopping, self._begun),
            context=context,
        )
        self._running: dict[Future[JobResult], tuple[Job, str]] = {}

    def start(self, job: Job) -> None:
        """Hand a job to a free worker."""
        device = self._free.pop()
        self._running[self._pool.schedule(_work, args=(job, device, self.threads))] = job, device

    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """Those that ended; a worker that was killed is told by its signal."""
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
                self._tell_those_at_work()
                wait_for(self._running, timeout=GRACE)
        finally:
            self._pool.stop()
            self._pool.join()

    def _tell_those_at_work(self) -> None:
        at_work: dict[str, int] = {}
        while not self._begun.empty():
            path, pid = self._begun.get()
            at_work[path] = pid
        alive = {child.pid for child in active_children()}
        for job, _ in self._running.values():
            if (pid := at_work.get(job.path)) in alive and pid is not None:
                os.kill(pid, signal.SIGTERM)

    def _ended(self, future: Future[JobResult]) -> tuple[Job, JobResult]:
        job, device = self._running.pop(future)
        self._free.append(device)
        try:
            return job, future.result()
        except (ProcessExpired, CancelledError) as error:
            return job, JobResult("died", _how_it_died(getattr(error, "exitcode", None)))


def _how_it_died(exitcode: int | None) -> str:
    if exitcode == signal.SIGTERM:  # pebble catches it, cleans up, and ends with its number
        exitcode = -signal.SIGTERM
    if exitcode is None or exitcode >= 0:
        return f"its process ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


def _prepare(parent: int, threads: int | None, stopping: Any, begun: Any) -> None:
    """In a new worker: leave Ctrl-C to the parent, and die when it does, however it does."""
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


# Of a worker: whether the study is being ended, and where it tells which job it has begun.
_stopping: Any = None
_begun: Any = None


def _work(job: Job, device: str, threads: int | None) -> JobResult:
    """`work`, in a worker. After a SIGTERM, and with its state saved, the worker ends as pebble would have it end."""
    end: Any = signal.signal(signal.SIGTERM, terminate)
    try:
        _begun.put((job.path, os.getpid()))  # before the look: who is not told by a signal sees it here
        return JobResult("died", "the study was ended") if _stopping.is_set() else work(job, device, threads)
    except Terminated as left:
        if not _stopping.is_set():
            end(signal.SIGTERM, None)
        return JobResult("died", f"the study was ended: {left}")
    finally:
        signal.signal(signal.SIGTERM, end)
