"""Runs as tasks of Ray: on this machine, or on every machine of a cluster."""

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from zoo import __version__
from zoo.datasets.store import CACHE, DATA, OFFLINE
from zoo.errors import RunBusy, RunError, TrainingError, ZooError
from zoo.runs import folder
from zoo.studies.executor import Executor
from zoo.studies.job import Job, JobResult, work
from zoo.studies.parcel import pack, unpack
from zoo.studies.processes import GRACE, PER_GPU
from zoo.system.stop import Terminated, terminate

# Ray honours the hook in ray.init alone; in the options of a task it would be ignored without a word.
HOOK = {"worker_process_setup_hook": "zoo.dgl_backend.install"}


class OnRay(Executor):
    """Each run is a task with one CPU and, where the cluster has GPUs, a share of one.

    device: auto, cpu or cuda; which GPU it is is Ray's choice. workers: runs at a time; unset: one for each CPU of the
    cluster, or three for each GPU. address: unset starts a Ray on this machine that ends with the study; `auto`,
    `host:port` and `ray://host:port` connect to a cluster (the last needs `ray[client]`), whose machines have this
    version of the zoo installed. A process that uses Ray already goes on with that.

    Machines that do not see the run folders train in a folder of their own and send the run when it has ended. There a
    run that is broken off begins from its start; elsewhere it goes on from its saved state, which is of the last step
    where a worker is told to end (a Ctrl-C, a SIGTERM), and of the last save where it is killed. Plug-ins are sent
    along; ZOO_DATA, ZOO_CACHE and ZOO_OFFLINE are those of this process.

    Raises: ZooError if Ray is not installed or the cluster cannot be reached; TrainingError for a device it has not.
    """

    def __init__(self, device: str = "auto", workers: int | None = None, address: str | None = None) -> None:
        if device.startswith("cuda:"):
            raise TrainingError(f"device {device} — Ray chooses the GPU of each run — expected cuda")
        self._ray = ray = _import_ray()
        environment = {"OMP_NUM_THREADS": "1"} | {
            name: os.environ[name] for name in (DATA, CACHE, OFFLINE) if name in os.environ
        }
        self._owned = not ray.is_initialized()
        options: dict[str, Any] = {}
        if self._owned:
            _connect(ray, address, {**HOOK, "env_vars": environment}, device, workers)
        elif address is not None:
            raise ZooError(f"executor.address — {address}: this process is connected to Ray already — expected none")
        else:
            options["runtime_env"] = {"env_vars": environment}
        try:
            self._place = place(ray.cluster_resources(), device, workers)
        except ZooError:
            self._disconnect()
            raise
        self.slots, self.why = self._place.slots, self._place.why
        # max_calls: Ray would end the worker after each GPU task, and the next one would load torch and DGL again.
        options |= {"num_cpus": 1, "num_gpus": self._place.gpu_share, "max_retries": 0, "max_calls": 0}
        self._train = ray.remote(**options)(train_there)
        self._tokens: dict[str, Path] = {}
        self._running: dict[Any, Job] = {}

    def start(self, job: Job) -> None:
        """Give the run to Ray. Raises: RunError if nothing can be written below the folder of runs."""
        plugins = tuple(
            (str(file), file.read_bytes()) for file in map(Path, job.tree.get("plugins", ())) if file.is_file()
        )
        order = Order(job, self._place.device, self._place.threads, self._token(job.runs), plugins)
        self._running[self._train.remote(order)] = job

    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """Those that ended; what came from other machines lies in its run folder by then."""
        if not self._running:
            time.sleep(seconds)
            return ()
        return [self._ended(task) for task in self._ready(list(self._running), 1, seconds)]

    def close(self) -> None:
        """Cancel what is under way; stop Ray, or leave the cluster, unless this process used it before.

        Runs that are trained in their own folders save their state first. A Ctrl-C meanwhile ends them at once.
        """
        tasks = list(self._running)
        ended: Sequence[Any] = ()
        try:
            for task in tasks:
                self._ray.cancel(task)  # there it is as a Ctrl-C
            if tasks:
                ended = self._ready(tasks, len(tasks), GRACE)
        finally:
            for task in tasks:
                if task not in ended:  # a forced cancel that meets the end of its task ends this process, in Ray
                    self._ray.cancel(task, force=True)
            self._running.clear()
            for token in self._tokens.values():
                token.unlink(missing_ok=True)
            self._tokens.clear()
            self._disconnect()

    def _ready(self, tasks: Sequence[Any], number: int, seconds: float) -> Sequence[Any]:
        """The tasks that have ended, once they are so many or after so many seconds."""
        try:
            return self._ray.wait(tasks, num_returns=number, timeout=seconds)[0]
        except SystemExit as left:  # Ray makes code 1 of what a handler raises
            if signal.getsignal(signal.SIGTERM) is terminate:
                raise Terminated from left
            raise

    def _disconnect(self) -> None:
        if self._owned:
            self._ray.shutdown()
            self._owned = False

    def _token(self, runs: str) -> str:
        """The name of a file below `runs` by which a worker can tell that it sees the same folder."""
        if runs not in self._tokens:
            token = Path(runs) / f".seen-{uuid4().hex}"
            try:
                token.parent.mkdir(parents=True, exist_ok=True)
                token.touch()
            except OSError as error:
                raise RunError(
                    f"run folder {runs} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
                ) from error
            self._tokens[runs] = token
        return self._tokens[runs].name

    def _ended(self, task: Any) -> tuple[Job, JobResult]:
        job = self._running.pop(task)
        try:
            ended, parcel = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            return job, JobResult("died", f"its Ray worker ended: {_reason(error)}")
        path = Path(job.path)
        if parcel is not None:
            try:
                unpack(parcel, path)
            except RunBusy as error:
                return job, JobResult("busy", str(error))
        if ended.how == "failed" and folder.failure_of(path) is None:
            folder.note_failure(path, ended.reason)
        return job, ended


@dataclass(frozen=True)
class Order:
    """What a worker needs to know of a run.

    token: a file in the folder of runs, if it is the driver's. plugins: path on the driver's machine, content. version:
    of the driver's zoo.
    """

    job: Job
    device: str
    threads: int | None
    token: str
    plugins: tuple[tuple[str, bytes], ...] = ()
    version: str = __version__


def train_there(order: Order) -> tuple[JobResult, bytes | None]:
    """On the worker: train, in a temporary folder if the run's own is not seen; how it ended, and that folder's run.

    A SIGTERM ends the worker, as Ray has it, but after the state is saved.
    """
    if order.version != __version__:  # the run would have another identity, and never be found
        said = f"a Ray worker has zoo {__version__} — expected {order.version}, as on the machine that asks"
        return JobResult("failed", said), None
    with _sigterm(terminate), tempfile.TemporaryDirectory(prefix="zoo-") as here:
        job = _with_plugins(order, Path(here))
        if (Path(job.runs) / order.token).is_file():
            return work(job, order.device, order.threads), None
        runs = Path(here) / "runs"
        path = runs / Path(job.path).relative_to(job.runs)
        ended = work(replace(job, runs=str(runs), path=str(path)), order.device, order.threads)
        return ended, pack(path) if path.is_dir() else None


@contextmanager
def _sigterm(during: Any) -> Iterator[None]:
    """Have SIGTERM handled so for the life of a `with`, and as before after it, whatever Ray puts there meanwhile."""
    if threading.current_thread() is not threading.main_thread():  # where Ray and Python leave signals alone
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if during is not None:
        signal.signal(signal.SIGTERM, during)
    try:
        yield
    finally:
        if before is not None:  # else it is none of Python's, which cannot put it back
            signal.signal(signal.SIGTERM, before)


def _with_plugins(order: Order, here: Path) -> Job:
    """The job with plug-ins that this machine has: those that it sees unchanged, copies of the others."""
    found = {}
    for number, (path, content) in enumerate(order.plugins):
        file = Path(path)
        if not file.is_file() or file.read_bytes() != content:
            file = here / "plugins" / str(number) / file.name
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
        found[path] = str(file)
    files = [found.get(path, path) for path in order.job.tree.get("plugins", ())]
    return replace(order.job, tree={**order.job.tree, "plugins": files})


@dataclass(frozen=True)
class Place:
    """Where runs are computed, how many at a time, and why so many. gpu_share: of one GPU, for each run."""

    device: str
    slots: int
    why: str
    gpu_share: float = 0.0

    @property
    def threads(self) -> int | None:
        """CPU threads of a run; None: as the recipe says."""
        return 1 if self.device == "cpu" else None


def place(resources: Mapping[str, float], device: str, workers: int | None) -> Place:
    """Divide what a cluster has among runs; its GPUs are used if it has some and the device is not cpu.

    resources: as `ray.cluster_resources` gives them. Raises: TrainingError for cuda on a cluster that has no GPU.
    """
    cpus, gpus = max(1, int(resources.get("CPU", 0))), int(resources.get("GPU", 0))
    if device == "cuda" and not gpus:
        raise TrainingError("device cuda — not there: Ray knows of no GPU — expected cpu — 'zoo doctor' says more")
    if device == "cpu" or not gpus:
        return Place("cpu", workers or cpus, "asked for" if workers else f"{_count(cpus, 'CPU')} in Ray, one run each")
    slots = workers or min(cpus, PER_GPU * gpus)
    per_gpu = -(-slots // gpus)
    share = 10_000 // per_gpu / 10_000  # Ray counts in ten-thousandths
    why = f"{_count(gpus, 'GPU')} in Ray, {_count(per_gpu, 'run')} on each"
    return Place("cuda", slots, "asked for" if workers else why, share)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ZooError("executor ray — ray is not installed — expected pip install 'gnn-zoo[ray]'") from error
    return ray


def _connect(ray: Any, address: str | None, runtime: Mapping[str, Any], device: str, workers: int | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    here: dict[str, Any] = {}
    if address is None:
        gpus = 0 if device == "cpu" else torch.cuda.device_count()
        cores = len(os.sched_getaffinity(0))
        here = {"num_cpus": workers or PER_GPU * gpus or cores, "num_gpus": gpus, "include_dashboard": False}
    try:
        if address is not None:
            _knock(address)
        with _sigterm(None):
            # "local" starts one whatever RAY_ADDRESS says, and whatever Ray runs on this machine.
            ray.init(address or "local", runtime_env=dict(runtime), **here, **quiet)
    except Exception as error:
        what = f"{address} cannot be reached" if address else "no Ray can be started here"
        raise ZooError(
            f"executor.address — {what}: {error} — expected auto, host:port or ray://host:port of a running cluster, "
            "or none for this machine"
        ) from error


def _knock(address: str) -> None:
    """Fail soon if nobody listens at host:port; Ray would go on trying for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=5).close()


def _reason(error: Exception) -> str:
    """What a Ray error says, in one line: of a trace the last."""
    lines = str(error).strip().splitlines() or [""]
    is_trace = type(error).__name__.startswith("RayTaskError")
    return lines[-1] if is_trace else f"{type(error).__name__}: {lines[0]}".rstrip(": ")
