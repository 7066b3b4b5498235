"""Runs in processes of this machine: on a CPU one for each core, on GPUs several for each."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from multiprocessing import get_context

import torch
from pebble import ProcessExpired, ProcessPool

from zoo.studies.executor import Executor
from zoo.studies.job import Ended, Job, work
from zoo.training.device import choose_device

PER_GPU = 3  # narrow, deep networks leave a GPU mostly waiting for launches


class Processes(Executor):
    """Worker processes that live as long as the study, each training one run at a time.

    device: auto, cpu, cuda or cuda:N. workers: how many; unset: one single-thread process for each CPU core that this
    process may use, or three for each GPU. A worker that dies is replaced; all die with the process that started them.
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
        self._pool = ProcessPool(
            max_workers=self.slots,
            initializer=_prepare,
            initargs=(os.getpid(), self.threads),
            context=get_context("spawn"),  # a fork of a process that has used threads or CUDA may hang
        )
        self._running: dict[Future[Ended], tuple[Job, str]] = {}

    def start(self, job: Job) -> None:
        """Hand a job to a free worker."""
        device = self._free.pop()
        self._running[self._pool.schedule(work, args=(job, device, self.threads))] = job, device

    def wait(self, seconds: float) -> Sequence[tuple[Job, Ended]]:
        """Those that ended; a worker that was killed is told by its signal."""
        if not self._running:
            time.sleep(seconds)
            return ()
        done, _ = wait_for(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        return [self._ended(future) for future in done]

    def close(self) -> None:
        """Terminate the workers."""
        self._pool.stop()
        self._pool.join()

    def _ended(self, future: Future[Ended]) -> tuple[Job, Ended]:
        job, device = self._running.pop(future)
        self._free.append(device)
        try:
            return job, future.result()
        except (ProcessExpired, CancelledError) as error:
            return job, Ended("died", _how_it_died(getattr(error, "exitcode", None)))


def _how_it_died(exitcode: int | None) -> str:
    if exitcode == signal.SIGTERM:  # pebble catches it, cleans up, and ends with its number
        exitcode = -signal.SIGTERM
    if exitcode is None or exitcode >= 0:
        return f"its process ended with exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


def _prepare(parent: int, threads: int | None) -> None:
    """In a new worker: leave Ctrl-C to the parent, and die when it does, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads:
        torch.set_num_threads(threads)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
