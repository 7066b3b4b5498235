"""Executor with tasks of Ray, on this machine or on every machine of a cluster."""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from zoo import __version__
from zoo.datasets.store import CACHE, DATA, OFFLINE
from zoo.errors import RunBusy, RunError, TrainingError, ZooError
from zoo.runs import folder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim
from zoo.studies.formatting import count
from zoo.studies.processes import GRACE, PER_GPU, Executor, Job, JobResult, train_job
from zoo.system.stop import Terminated, terminate
from zoo.untrusted import check_members

# Ray honours the hook in ray.init alone; in the options of a task it would be ignored without a word.
HOOK = {"worker_process_setup_hook": "zoo.dgl_backend.install"}
_MEMBERS = 10_000  # files of one run: records, plug-ins, pictures


class OnRay(Executor):
    """Each run is a task with one CPU and, where the cluster has GPUs, a share of one.

    device: auto, cpu or cuda; Ray chooses the GPU. workers: runs at a time; unset: one for each CPU of the cluster, or
    three for each GPU. address: unset starts a Ray on this machine that ends with the study; `auto`, `host:port` and
    `ray://host:port` connect to a cluster (the last needs `ray[client]`), whose machines have this version of the zoo
    installed. A process that is connected to Ray already stays with that.

    Machines without access to the run folders train in a temporary folder and send the finished run; there an
    interrupted run starts over. Elsewhere it resumes from its saved state: that of the last step where a worker is told
    to end (a Ctrl-C, a SIGTERM), the last one saved where it is killed. Plug-ins are sent along; ZOO_DATA, ZOO_CACHE
    and ZOO_OFFLINE are those of this process.

    Raises: ZooError if Ray is not installed or the cluster cannot be reached; TrainingError for a device it has not.
    """

    def __init__(self, device: str = "auto", workers: int | None = None, address: str | None = None) -> None:
        if device.startswith("cuda:"):
            raise TrainingError(f"device {device} — Ray chooses the GPU of each run — expected cuda")
        try:
            import ray
        except ImportError as error:
            raise ZooError("executor ray — ray is not installed — expected pip install 'gnn-zoo[ray]'") from error
        self._ray: Any = ray
        variables = {name: os.environ[name] for name in (DATA, CACHE, OFFLINE) if name in os.environ}
        environment = {"env_vars": {"OMP_NUM_THREADS": "1", **variables}}
        self._owned = not ray.is_initialized()
        if self._owned:
            _connect(ray, address, {**HOOK, **environment}, device, workers)
        elif address is not None:
            raise ZooError(f"executor.address — {address}: this process is connected to Ray already — expected none")
        try:
            self._share = share_of(ray.cluster_resources(), device, workers)
        except ZooError:
            self._disconnect()
            raise
        self.slots, self.why = self._share.slots, self._share.why
        options: dict[str, Any] = {} if self._owned else {"runtime_env": environment}
        # max_calls: Ray would end the worker after each GPU task, and the next one would load torch and DGL again.
        options |= {"num_cpus": 1, "num_gpus": self._share.gpus, "max_retries": 0, "max_calls": 0}
        self._train = self._ray.remote(**options)(train_remotely)
        self._tokens: dict[str, Path] = {}
        self._running: dict[Any, Job] = {}

    def start(self, job: Job) -> None:
        """Give the run to Ray. Raises: RunError if nothing can be written below the folder of runs."""
        files = [file for file in map(Path, job.tree.get("plugins", ())) if file.is_file()]
        plugins = tuple((str(file), file.read_bytes()) for file in files)
        sent = RemoteJob(job, self._share.device, self._share.threads, self._token(job.runs), plugins)
        self._running[self._train.remote(sent)] = job

    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        """Return the jobs that ended; what other machines sent lies in its run folder by then."""
        if not self._running:
            time.sleep(seconds)
            return ()
        return [self._ended(task) for task in self._ready(list(self._running), 1, seconds)]

    def close(self) -> None:
        """Cancel what is under way; stop Ray or leave the cluster, unless this process used it before.

        Runs that are trained in their own folders save their state first. A Ctrl-C meanwhile ends them at once.
        """
        tasks = list(self._running)
        ended: Sequence[Any] = ()
        try:
            for task in tasks:
                self._ray.cancel(task)  # a Ctrl-C in the worker
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
        """Return the tasks that have ended, once they are so many or after so many seconds."""
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
        """Return the name of a file below `runs` by which a worker can tell that it has access to the same folder."""
        if runs not in self._tokens:
            token = Path(runs) / f".seen-{uuid4().hex}"
            try:
                token.parent.mkdir(parents=True, exist_ok=True)
                token.touch()
            except OSError as error:
                raise _cannot_be_made(Path(runs), error) from error
            self._tokens[runs] = token
        return self._tokens[runs].name

    def _ended(self, task: Any) -> tuple[Job, JobResult]:
        job = self._running.pop(task)
        try:
            result, archive = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            return job, JobResult("died", f"its Ray worker ended: {_one_line(error)}")
        path = Path(job.path)
        if archive is not None:
            try:
                unpack(archive, path)
            except RunBusy as error:
                return job, JobResult("busy", str(error))
        if result.status == "failed" and folder.failure_of(path) is None:
            folder.note_failure(path, result.reason)
        return job, result


@dataclass(frozen=True)
class RemoteJob:
    """A job and what a worker needs for it.

    token: a file in the folder of runs, if it is the driver's. plugins: path on the driver's machine, content. version:
    of the driver's zoo.
    """

    job: Job
    device: str
    threads: int | None
    token: str
    plugins: tuple[tuple[str, bytes], ...] = ()
    version: str = __version__


def train_remotely(sent: RemoteJob) -> tuple[JobResult, bytes | None]:
    """Train in a worker; returns the result, and the packed run if the worker has no access to the run's own folder.

    A SIGTERM ends the worker, as Ray has it, but after the state is saved.
    """
    if sent.version != __version__:  # the run would have another identity, and never be found
        reason = f"a Ray worker has zoo {__version__} — expected {sent.version}, as on the machine that asks"
        return JobResult("failed", reason), None
    with _sigterm(terminate), tempfile.TemporaryDirectory(prefix="zoo-") as here:
        job = _with_plugins(sent, Path(here))
        if (Path(job.runs) / sent.token).is_file():
            return train_job(job, sent.device, sent.threads), None
        runs = Path(here) / "runs"
        path = runs / Path(job.path).relative_to(job.runs)
        result = train_job(replace(job, runs=str(runs), path=str(path)), sent.device, sent.threads)
        return result, pack(path) if path.is_dir() else None


def _with_plugins(sent: RemoteJob, here: Path) -> Job:
    """Return the job with plug-in files of this machine: its own if they are unchanged, else copies below `here`."""
    found = {}
    for number, (path, content) in enumerate(sent.plugins):
        file = Path(path)
        if not file.is_file() or file.read_bytes() != content:
            file = here / "plugins" / str(number) / file.name
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
        found[path] = str(file)
    files = [found.get(path, path) for path in sent.job.tree.get("plugins", ())]
    return replace(sent.job, tree={**sent.job.tree, "plugins": files})


def pack(path: Path) -> bytes:
    """Return all files of a run folder as a zip archive."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            archive.write(file, file.relative_to(path))
    return stream.getvalue()


def unpack(packed: bytes, path: Path) -> None:
    """Make the packed run folder, all of it at once.

    A finished run of the same data that is there already is left as it is; anything else is moved aside.
    Raises: RunBusy while another process trains that run; RunError if the folder cannot be made.
    """
    with claim(path):
        draft = path.with_name(f".{path.name}.arriving")
        try:
            if draft.exists():  # left by a process that died here
                shutil.rmtree(draft)
            draft.mkdir()
            with zipfile.ZipFile(BytesIO(packed)) as archive:
                check_members(archive.infolist(), most=_MEMBERS)
                archive.extractall(draft)
            if folder.is_finished(path) and _data_digest(path) == _data_digest(draft):
                shutil.rmtree(draft)
                return
            folder.move_aside(path)
            draft.rename(path)
        except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise RunError(
                f"run folder {path} — what came for it cannot be unpacked: {error} — train it again"
            ) from error
        except OSError as error:
            raise _cannot_be_made(path, error) from error


def _data_digest(path: Path) -> str | None:
    try:
        return Run(path).record.data_digest
    except RunError:
        return None


def _cannot_be_made(path: Path, error: OSError) -> RunError:
    return RunError(
        f"run folder {path} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
    )


@dataclass(frozen=True)
class Share:
    """Device and number of runs at a time, with the reason. gpus: of one GPU, the share of each run."""

    device: str
    slots: int
    why: str
    gpus: float = 0.0

    @property
    def threads(self) -> int | None:
        """CPU threads of a run; None: as the recipe says."""
        return 1 if self.device == "cpu" else None


def share_of(resources: Mapping[str, float], device: str, workers: int | None) -> Share:
    """Divide a cluster among runs; its GPUs are used if it has some and the device is not cpu.

    resources: as `ray.cluster_resources` gives them. Raises: TrainingError for cuda on a cluster that has no GPU.
    """
    cpus, gpus = max(1, int(resources.get("CPU", 0))), int(resources.get("GPU", 0))
    if device == "cuda" and not gpus:
        raise TrainingError("device cuda — not there: Ray knows of no GPU — expected cpu — 'zoo doctor' says more")
    if device == "cpu" or not gpus:
        return Share("cpu", workers or cpus, "asked for" if workers else f"{count(cpus, 'CPU')} in Ray, one run each")
    slots = workers or min(cpus, PER_GPU * gpus)
    per_gpu = -(-slots // gpus)
    why = "asked for" if workers else f"{count(gpus, 'GPU')} in Ray, {count(per_gpu, 'run')} on each"
    return Share("cuda", slots, why, gpus=10_000 // per_gpu / 10_000)  # Ray counts in ten-thousandths


def _connect(ray: Any, address: str | None, runtime: Mapping[str, Any], device: str, workers: int | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": dict(runtime)}
    if address is None:
        gpus = 0 if device == "cpu" else torch.cuda.device_count()
        cores = len(os.sched_getaffinity(0))
        options |= {"num_cpus": workers or PER_GPU * gpus or cores, "num_gpus": gpus, "include_dashboard": False}
    try:
        host, colon, port = (address or "").rpartition(":")
        if colon and port.isdigit() and "://" not in host:  # Ray would try for minutes where nobody listens
            socket.create_connection((host, int(port)), timeout=5).close()
        with _sigterm(None):
            # "local" starts one whatever RAY_ADDRESS says, and whatever Ray runs on this machine.
            ray.init(address or "local", **options)
    except Exception as error:
        wrong = f"{address} cannot be reached" if address else "no Ray can be started here"
        raise ZooError(
            f"executor.address — {wrong}: {error} — expected auto, host:port or ray://host:port of a running cluster, "
            "or none for this machine"
        ) from error


@contextmanager
def _sigterm(during: Any) -> Iterator[None]:
    """Handle SIGTERM by `during` (None: as before) within a `with`, and as before after it, whatever Ray sets."""
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


def _one_line(error: Exception) -> str:
    """Return the message of a Ray error in one line: of a trace the last."""
    lines = str(error).strip().splitlines() or [""]
    is_trace = type(error).__name__.startswith("RayTaskError")
    return lines[-1] if is_trace else f"{type(error).__name__}: {lines[0]}".rstrip(": ")
