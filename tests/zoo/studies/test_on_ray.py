"""Runs on a Ray of this machine: the same figures, with and without a file system in common."""

import json
import signal
import socket
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import ray.exceptions
import torch

from zoo import api, dgl_backend
from zoo.errors import RunBusy, RunError, TrainingError, ZooError
from zoo.recipe.load import load
from zoo.runs.run import Run
from zoo.runs.run_lock import claim, is_claimed
from zoo.studies import on_ray
from zoo.studies.on_ray import OnRay, RemoteJob, Share, pack, share_of, train_remotely, unpack
from zoo.studies.processes import Job, JobResult
from zoo.studies.run_study import run_study
from zoo.studies.study_plan import PlannedRun, StudyPlan
from zoo.studies.study_schema import Study
from zoo.system.stop import Terminated, terminate

# Ends its process in the fourth training pass, once: not again when the file `{died}` is there. Tests share workers,
# which know the names that were registered before.
DEADLY = """
import os, signal
from pathlib import Path
from registry import normalizers
from zoo.normalizers.base import FeatureNormalizer

@normalizers.register({name!r})
class Deadly(FeatureNormalizer):
    def __init__(self, width):
        super().__init__(width)
        self.passes = 0

    def forward(self, graph, x):
        self.passes += self.training
        if self.passes == 4 and not Path({died!r}).exists():
            Path({died!r}).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x
"""
BROKEN = """
from registry import normalizers
from zoo.normalizers.base import FeatureNormalizer

@normalizers.register({name!r})
class Broken(FeatureNormalizer):
    def forward(self, graph, x):
        raise ValueError("no such luck")
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Iterator[OnRay]:
    """One Ray with two workers for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ZOO_OFFLINE", "1")
        made = OnRay("cpu", 2)
    yield made
    made.close()
    assert not ray.is_initialized()


class Starts:
    """Keeps what was handed out, and how it ended."""

    def __init__(self) -> None:
        self.handed: list[Path] = []
        self.ends: list[str] = []
        self.reasons: list[str] = []

    def started(self, run: PlannedRun) -> None:
        self.handed.append(run.path)

    def ended(self, run: PlannedRun, result: JobResult) -> None:
        self.ends.append(result.status)
        self.reasons += [result.reason] if result.reason else []

    def beat(self, plan: StudyPlan, under_way: object) -> None:
        pass


def end_of(pool: OnRay, job: Job) -> JobResult:
    pool.start(job)
    while not (ended := pool.wait(1.0)):
        pass
    ((same, how),) = ended
    assert same == job
    return how


def plugin(folder: Path, text: str, **values: str) -> list[str]:
    file = folder / "plugin.py"
    file.write_text(text.format(**values))
    return [str(file)]


def smoke(*plugins: str, runs: Path, normalizer: str = "frobenius", seed: int = 0) -> Job:
    return Job.of(load("smoke/res-gcn", {"normalizer": normalizer}, plugins), seed, runs)


def study_of(*plugins: str, normalizer: str) -> Study:
    return Study(
        name="four",
        base="smoke/res-gcn",
        change={"normalizer": normalizer},
        vary={"model.depth": (2, 4)},
        seeds=(0, 1),
        plugins=plugins,
    )


def without_times(path: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_equals_runs_here(runs: list[PlannedRun], folder: Path) -> None:
    """To the last digit what `train` gives in this process."""
    for run in runs:
        here = api.train(run.recipe, seed=run.seed, runs=folder, device="cpu")
        assert without_times(run.path) == without_times(here.path)
        assert Run(run.path).test == here.test


def test_workers_can_import_dgl_before_the_zoo(pool):
    """The hook makes DGL work in a worker before any code of ours runs there, e.g. to unpickle a graph."""

    def there() -> tuple[bool, str]:
        hooked = "zoo.dgl_backend" in sys.modules
        import dgl

        return hooked, dgl.__version__

    assert ray.get(ray.remote(there).remote()) == (True, dgl_backend.version())


def test_a_study_gives_the_figures_of_runs_here(pool, tmp_path):
    """Four runs, two at a time, are all finished where they belong, and nothing else is left below the runs."""
    plan, seen = StudyPlan(study_of(normalizer="frobenius"), tmp_path / "runs"), Starts()
    run_study(plan, pool, watcher=seen)
    assert seen.ends == ["done"] * 4
    assert_equals_runs_here(list(plan.runs()), tmp_path / "here")
    for run in plan.runs():
        assert Run(run.path).environment["threads"] == 1


def test_a_study_survives_the_death_of_a_worker(pool, tmp_path):
    """Only the run of the killed worker is begun again, from its saved state; it ends as an undisturbed one does."""
    files = plugin(tmp_path, DEADLY, name="in-a-study", died=str(tmp_path / "died"))
    plan, seen = StudyPlan(study_of(*files, normalizer="in-a-study"), tmp_path / "runs"), Starts()
    run_study(plan, pool, watcher=seen)
    assert sorted(seen.ends) == ["died", "done", "done", "done", "done"]
    assert len(seen.handed) == 5
    (reason,) = seen.reasons
    assert reason.startswith("its Ray worker ended: WorkerCrashedError") and "\n" not in reason
    folders = [path for path in (tmp_path / "runs").rglob("seed-*") if path.is_dir()]
    assert sorted(folders) == sorted(
        run.path for run in plan.runs()
    )  # nothing was moved aside, thus nothing begun anew
    assert_equals_runs_here(list(plan.runs()), tmp_path / "here")


def test_a_worker_that_is_told_to_end_saves_first(pool, tmp_path):
    """A SIGTERM, as on a machine that is taken away, ends the worker with the state of its last step on the disk."""
    text = DEADLY.replace("SIGKILL", "SIGTERM")
    files = plugin(tmp_path, text, name="told-to-end", died=str(tmp_path / "died"))
    recipe = load("smoke/res-gcn", {"normalizer": "told-to-end", "training.save": "1000 epochs"}, files)
    job = Job.of(recipe, 0, tmp_path / "runs")
    assert end_of(pool, job).status == "died"
    assert (Path(job.path) / "state.pt").exists()
    assert end_of(pool, job) == JobResult("done")
    here = api.train(recipe, seed=0, runs=tmp_path / "here", device="cpu")
    assert without_times(Path(job.path)) == without_times(here.path)


@pytest.mark.parametrize("shared", [True, False], ids=["seen", "unseen"])
def test_an_error_is_noted_in_the_run_folder(shared, pool, tmp_path, monkeypatch):
    """A bug in a plug-in ends its own run, with the error and its trace where the driver looks for them."""
    if not shared:
        monkeypatch.setattr(pool, "_token", lambda runs: "not-there")
    files = plugin(tmp_path, BROKEN, name=f"broken-{shared}")
    job = smoke(*files, runs=tmp_path / "runs", normalizer=f"broken-{shared}")
    ended = end_of(pool, job)
    assert ended.status == "failed" and ended.reason.startswith(f"normalizer broken-{shared} (")
    noted = json.loads((Path(job.path) / "failure.json").read_text())
    assert noted["error"] == ended.reason and "ValueError: no such luck" in ended.reason
    assert 'raise ValueError("no such luck")' in noted["trace"]


def test_a_run_comes_back_from_a_machine_that_does_not_see_the_folder(pool, tmp_path, monkeypatch):
    """A study whose workers do not see the runs is as complete as another, and a killed run begins anew."""
    monkeypatch.setattr(pool, "_token", lambda runs: "not-there")
    files = plugin(tmp_path, DEADLY, name="unseen", died=str(tmp_path / "died"))
    plan, seen = StudyPlan(study_of(*files, normalizer="unseen"), tmp_path / "runs"), Starts()
    run_study(plan, pool, watcher=seen)
    assert sorted(seen.ends) == ["died", "done", "done", "done", "done"]
    assert_equals_runs_here(list(plan.runs()), tmp_path / "here")


def test_a_run_that_another_process_holds_is_busy(pool, tmp_path, monkeypatch):
    """What comes back for a run that is trained here meanwhile is not put in its way."""
    monkeypatch.setattr(pool, "_token", lambda runs: "not-there")
    job = smoke(runs=tmp_path / "runs")
    with claim(Path(job.path)):
        assert end_of(pool, job).status == "busy"
    assert not Path(job.path).exists()


def test_a_program_that_uses_ray_keeps_it(pool, tmp_path):
    """Closing cancels the runs, which save their states, takes its own files away, and leaves Ray as it was."""
    with pytest.raises(ZooError, match=r"executor.address — auto: .* connected to Ray already"):
        OnRay("cpu", 1, address="auto")
    guest = OnRay("cpu", 1)
    long = {"training.duration": "100000 epochs", "training.save": "100000 epochs"}
    job = Job.of(load("smoke/res-gcn", long), 0, tmp_path / "runs")
    guest.start(job)
    metrics = Path(job.path) / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):  # until then a cancelled run has nothing to save
        assert not guest.wait(0.1)
    assert list((tmp_path / "runs").glob(".seen-*"))
    guest.close()
    guest.close()  # once more does nothing
    assert not is_claimed(Path(job.path))
    assert (Path(job.path) / "state.pt").exists()
    assert not list((tmp_path / "runs").glob(".seen-*"))
    assert end_of(pool, smoke(runs=tmp_path / "runs")) == JobResult("done")


def test_an_unseen_run_is_trained_elsewhere_and_sent(tmp_path):
    """Without the token nothing is written to the path of the runs, which may belong to something else there."""
    job = smoke(runs=tmp_path / "runs")
    ended, parcel = train_remotely(RemoteJob(job, "cpu", 1, "not-there"))
    assert ended == JobResult("done")
    assert not (tmp_path / "runs").exists()
    assert parcel is not None
    unpack(parcel, Path(job.path))
    here = api.train(load("smoke/res-gcn", {"normalizer": "frobenius"}), runs=tmp_path / "here", device="cpu")
    assert without_times(Path(job.path)) == without_times(here.path)
    assert Run(Path(job.path)).result["identity"] == here.result["identity"]


def test_a_seen_run_is_trained_in_its_place(tmp_path):
    """With the token there nothing is sent."""
    job = smoke(runs=tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "token").touch()
    assert train_remotely(RemoteJob(job, "cpu", 1, "token")) == (JobResult("done"), None)
    assert Run(Path(job.path)).result["status"] == "finished"


@pytest.mark.parametrize("there", ["nothing", "another"])
def test_plugins_go_along(there, tmp_path):
    """The driver's plug-in is used where the worker's machine lacks it or has another version; the identity stays."""
    text = BROKEN.replace('raise ValueError("no such luck")', "return x").format(name=f"sent-{there}")
    files = plugin(tmp_path, text)
    job = smoke(*files, runs=tmp_path / "runs", normalizer=f"sent-{there}")
    sent = ((files[0], Path(files[0]).read_bytes()),)
    Path(files[0]).unlink()
    if there == "another":
        Path(files[0]).write_text("raise RuntimeError('of another version')")
    ended, parcel = train_remotely(RemoteJob(job, "cpu", 1, "not-there", sent))
    assert ended == JobResult("done")
    assert parcel is not None
    unpack(parcel, Path(job.path))
    assert Run(Path(job.path)).result["identity"] == Path(job.path).parent.name
    assert (Path(job.path) / "plugins" / "plugin.py").read_text() == text


def test_another_version_of_the_zoo_is_refused(tmp_path):
    """A worker whose zoo differs would make a run of another identity, which nobody looks for."""
    order = RemoteJob(smoke(runs=tmp_path / "runs"), "cpu", 1, "not-there", version="0.0.0")
    ended, parcel = train_remotely(order)
    assert (ended.status, parcel) == ("failed", None)
    assert "expected 0.0.0" in ended.reason


def test_a_failure_without_a_folder_is_noted_by_the_driver(pool, tmp_path, monkeypatch):
    """Else the study would never know that the run has failed, and try it for ever."""
    job = smoke(runs=tmp_path / "runs")
    monkeypatch.setattr(
        pool, "_ray", SimpleNamespace(get=lambda task: (JobResult("failed", "so"), None), exceptions=ray.exceptions)
    )
    pool._running["task"] = job
    assert pool._ended("task") == (job, JobResult("failed", "so"))
    assert json.loads((Path(job.path) / "failure.json").read_text())["error"] == "so"


@pytest.mark.parametrize(
    ("resources", "device", "workers", "expected"),
    [
        ({"CPU": 8.0}, "auto", None, Share("cpu", 8, "8 CPUs in Ray, one run each")),
        ({"CPU": 8.0}, "cpu", 3, Share("cpu", 3, "asked for")),
        ({"CPU": 1.0, "GPU": 1.0}, "cpu", None, Share("cpu", 1, "1 CPU in Ray, one run each")),
        ({}, "auto", None, Share("cpu", 1, "1 CPU in Ray, one run each")),  # a cluster that grows when asked
        ({"CPU": 64.0, "GPU": 2.0}, "auto", None, Share("cuda", 6, "2 GPUs in Ray, 3 runs on each", 0.3333)),
        ({"CPU": 4.0, "GPU": 2.0}, "cuda", None, Share("cuda", 4, "2 GPUs in Ray, 2 runs on each", 0.5)),
        ({"CPU": 64.0, "GPU": 2.0}, "cuda", 3, Share("cuda", 3, "asked for", 0.5)),
        ({"CPU": 64.0, "GPU": 4.0}, "cuda", 2, Share("cuda", 2, "asked for", 1.0)),
    ],
)
def test_a_cluster_is_divided_among_runs(resources, device, workers, expected):
    """A CPU or a share of a GPU for each run; all runs that are handed out fit on the GPUs at once."""
    found = share_of(resources, device, workers)
    assert found == expected
    assert found.threads == (1 if found.device == "cpu" else None)
    if found.gpus:
        assert int(1 / found.gpus) * resources["GPU"] >= found.slots


def test_a_device_that_ray_cannot_give_is_refused():
    """A GPU by its number, or one where there is none."""
    with pytest.raises(TrainingError, match="Ray chooses the GPU"):
        OnRay("cuda:1")
    with pytest.raises(TrainingError, match="Ray knows of no GPU"):
        share_of({"CPU": 2.0}, "cuda", None)


def test_ray_that_is_not_installed_is_named(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ZooError, match=r"executor ray — ray is not installed — expected pip install 'gnn-zoo\[ray\]'"):
        OnRay("cpu")


class Recording:
    """Stands in for Ray, and keeps what it was started with."""

    def init(self, address: str, **options: Any) -> None:
        self.address, self.options = address, options


def test_a_local_ray_is_quiet_and_as_large_as_needed(monkeypatch):
    """Without an address a Ray of its own is started, whatever RAY_ADDRESS says; without GPUs if it is for a CPU."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device, workers, cpus, gpus in [("cpu", 3, 3, 0), ("auto", None, 6, 2), ("cuda", 4, 4, 2)]:
        started = Recording()
        on_ray._connect(started, None, {}, device, workers)
        assert started.address == "local"
        assert (started.options["num_cpus"], started.options["num_gpus"]) == (cpus, gpus)
        assert not started.options["include_dashboard"] and not started.options["log_to_driver"]


def test_ray_does_not_keep_the_signals(monkeypatch):
    """Its handler of SIGTERM would end a study at once, with code 1; the one from before is put back."""
    monkeypatch.setattr(Recording, "init", lambda *_, **__: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    before = signal.getsignal(signal.SIGTERM)
    on_ray._connect(Recording(), None, {}, "cpu", 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_sigterm_while_ray_is_waited_for_is_that_of_the_command(pool, monkeypatch):
    """Ray makes SystemExit(1) of whatever a handler raises; the command's exit code is 143 for all that."""
    monkeypatch.setattr(pool, "_ray", SimpleNamespace(wait=lambda *_, **__: sys.exit(1)))
    with pytest.raises(SystemExit) as plain:
        pool._ready(["task"], 1, 0.0)
    with on_ray._sigterm(terminate), pytest.raises(Terminated) as ours:
        pool._ready(["task"], 1, 0.0)
    assert (plain.value.code, ours.value.code) == (1, 143)


def test_a_cluster_is_taken_as_it_is():
    """Connecting asks for no resources of its own, which Ray would refuse."""
    started = Recording()
    on_ray._connect(started, "ray://head:10001", {}, "cpu", 3)
    assert started.address == "ray://head:10001"
    assert set(started.options) == {"runtime_env", "log_to_driver", "logging_level"}


def test_a_cluster_that_does_not_answer_is_told_soon():
    """A wrong address is an error of the user's, at once and with the ways to write one."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ZooError, match=rf"127.0.0.1:{port} cannot be reached.*expected auto, host:port"):
            on_ray._connect(ray, f"127.0.0.1:{port}", {}, "cpu", None)


def test_a_missing_module_of_a_worker_is_told_in_a_line():
    """Of a trace that Ray sends, the last line says what was wrong."""
    cause = ModuleNotFoundError("No module named 'zoo'")
    error = ray.exceptions.RayTaskError("train", "Traceback …\nModuleNotFoundError: No module named 'zoo'", cause)
    assert on_ray._one_line(error) == "ModuleNotFoundError: No module named 'zoo'"


def test_a_job_keeps_what_is_not_about_plugins(tmp_path):
    """A job without plug-ins reaches `work` unchanged."""
    job = smoke(runs=tmp_path)
    assert on_ray._with_plugins(RemoteJob(job, "cpu", 1, ""), tmp_path) == replace(job, tree=dict(job.tree))


@pytest.fixture
def made(tmp_path) -> Path:
    """A finished run's folder, with a plug-in below it."""
    path = tmp_path / "there" / "seed-0"
    (path / "plugins" / "2").mkdir(parents=True)
    (path / "result.json").write_text("{}")
    (path / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (path / "plugins" / "2" / "mine.py").write_text("x = 'μ'\n")
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_folder_arrives_as_it_was(made, tmp_path):
    """Every file, at any depth, byte for byte, and nothing beside the folder but its lock."""
    here = tmp_path / "here" / "cora" / "abc" / "seed-0"
    unpack(pack(made), here)
    assert contents(here) == contents(made)
    assert {path.name for path in here.parent.iterdir()} - {".seed-0.lock"} == {"seed-0"}
    assert here.stat().st_mode == made.stat().st_mode


def test_what_is_in_the_way_is_moved_aside(made, tmp_path):
    """An unfinished run at that place keeps its files under another name."""
    here = tmp_path / "here" / "seed-0"
    here.mkdir(parents=True)
    (here / "state.pt").write_text("saved")
    unpack(pack(made), here)
    assert contents(here) == contents(made)
    assert contents(here.with_name("seed-0.unfinished-1")) == {"state.pt": b"saved"}


def test_a_finished_run_is_left_as_it_is(made, tmp_path):
    """Of two that trained the same run the first stays."""
    here = tmp_path / "here" / "seed-0"
    here.mkdir(parents=True)
    (here / "result.json").write_text('{"mine": 1}')
    unpack(pack(made), here)
    assert contents(here) == {"result.json": b'{"mine": 1}'}


def test_a_run_that_is_being_trained_is_not_touched(made, tmp_path):
    """Whoever holds the folder goes on undisturbed."""
    here = tmp_path / "here" / "seed-0"
    with claim(here), pytest.raises(RunBusy):
        unpack(pack(made), here)
    assert not here.exists()


def test_half_of_an_arrival_is_forgotten(made, tmp_path):
    """What a process left that died while it unpacked does not get into the run."""
    here = tmp_path / "here" / "seed-0"
    draft = here.with_name(".seed-0.arriving")
    draft.mkdir(parents=True)
    (draft / "half").touch()
    unpack(pack(made), here)
    assert contents(here) == contents(made)
    assert not draft.exists()


def test_a_place_that_cannot_be_written_is_told(made, tmp_path):
    """A file where the folder of runs should be is the user's to mend."""
    (tmp_path / "runs").touch()
    with pytest.raises(RunError, match="cannot be made"):
        unpack(pack(made), tmp_path / "runs" / "seed-0")


def test_an_archive_cannot_reach_outside_its_folder(tmp_path):
    """Names that climb out of the folder are refused, and nothing is unpacked."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../evil", "x")
    with pytest.raises(RunError, match="would leave its folder"):
        unpack(stream.getvalue(), tmp_path / "a" / "b" / "seed-0")
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "a" / "b" / "seed-0").exists()
