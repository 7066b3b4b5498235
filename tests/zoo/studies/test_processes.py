"""Jobs, and processes of this machine: the same figures as `train`, and a pool that outlives its workers."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import torch

from registry import normalizers
from zoo import api
from zoo.errors import TrainingError
from zoo.recipe.load import load
from zoo.runs import folder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim
from zoo.studies import processes
from zoo.studies.processes import Job, JobResult, Processes, train_job
from zoo.studies.run_study import run_study
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Study

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
            os.kill(os.getpid(), signal.{by})
        return x
"""
BROKEN = """
from registry import normalizers
from zoo.normalizers.base import FeatureNormalizer

@normalizers.register("broken")
class Broken(FeatureNormalizer):
    def forward(self, graph, x):
        raise ValueError("no such luck")
"""
ORPHANS = """
import sys, time
from pathlib import Path
import psutil
from zoo.recipe.load import load
from zoo.studies.processes import Job, JobResult, Processes, train_job

if __name__ == "__main__":
    pool = Processes("cpu", 2)
    for seed in (0, 1):
        pool.start(Job.of(load("smoke/res-gcn", {"training.duration": "100000 epochs"}), seed, Path(sys.argv[1])))
    while len(list(Path(sys.argv[1]).rglob("metrics.jsonl"))) < 2:
        time.sleep(0.1)
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    """Two workers for all tests, which thereby also show that the pool goes on."""
    made = Processes("cpu", 2)
    yield made
    made.close()


def end_of(pool: Processes, jobs: Sequence[Job]) -> dict[str, JobResult]:
    """Start the jobs, and wait for all of them."""
    for job in jobs:
        pool.start(job)
    ended: dict[str, JobResult] = {}
    while len(ended) < len(jobs):
        ended |= {job.path: how for job, how in pool.wait(1.0)}
    return ended


def plugin(folder: Path, text: str, **values: str) -> list[str]:
    file = folder / "plugin.py"
    file.write_text(text.format(**values) if values else text)
    return [str(file)]


def without_times(run: Run) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_figures_are_those_of_a_run_here(pool, tmp_path):
    """Two runs at once, each in a process of its own, measure to the last digit what `train` measures."""
    recipe = load("smoke/res-gcn")
    jobs = [Job.of(recipe, seed, tmp_path / "there") for seed in (0, 1)]
    assert end_of(pool, jobs) == {job.path: JobResult("done") for job in jobs}
    for job in jobs:
        here = api.train(recipe, seed=job.seed, runs=tmp_path / "here", device="cpu")
        assert without_times(Run(Path(job.path))) == without_times(here)
        assert Run(Path(job.path)).test == here.test


@pytest.mark.parametrize("by", ["SIGKILL", "SIGTERM"])
def test_a_worker_that_is_killed_ends_its_run_only(by, pool, tmp_path):
    """The signal is named, the run beside it finishes, and the run can be gone on with by the same pool."""
    files = plugin(tmp_path, DEADLY, name=f"by-{by}", died=str(tmp_path / "died"), by=by)
    deadly = Job.of(load("smoke/res-gcn", {"normalizer": f"by-{by}"}, files), 0, tmp_path / "runs")
    other = Job.of(load("smoke/res-gcn"), 0, tmp_path / "runs")
    ended = end_of(pool, [deadly, other])
    assert ended[other.path] == JobResult("done")
    assert ended[deadly.path].status == "died"
    assert by in ended[deadly.path].reason
    assert ("memory" in ended[deadly.path].reason) == (by == "SIGKILL")
    assert end_of(pool, [deadly]) == {deadly.path: JobResult("done")}


def test_an_error_is_noted_in_the_run_folder(pool, tmp_path):
    """A bug in a plug-in ends its own run, with the error and its trace beside it."""
    files = plugin(tmp_path, BROKEN)
    job = Job.of(load("smoke/res-gcn", {"normalizer": "broken"}, files), 0, tmp_path / "runs")
    ended = end_of(pool, [job])[job.path]
    assert ended.status == "failed" and ended.reason.startswith("normalizer broken (")
    noted = json.loads((Path(job.path) / "failure.json").read_text())
    assert noted["error"] == ended.reason and "ValueError: no such luck" in ended.reason
    assert 'raise ValueError("no such luck")' in noted["trace"]


def test_a_study_survives_the_death_of_a_worker(pool, tmp_path):
    """The run goes on from its saved state and ends where an undisturbed one ends; no finished run is repeated."""
    files = plugin(tmp_path, DEADLY, name="in-a-study", died=str(tmp_path / "died"), by="SIGKILL")
    study = Study(
        name="deaths",
        base="smoke/res-gcn",
        change={"normalizer": "in-a-study"},
        vary={"model.depth": (2, 4)},
        seeds=(0, 1),
        plugins=tuple(files),
    )
    plan = StudyPlan(study, tmp_path / "runs")
    run_study(plan, pool)
    assert (tmp_path / "died").exists()
    runs = list(plan.runs())
    assert [run.state for run in runs] == ["finished"] * 4
    folders = [path for path in (tmp_path / "runs").rglob("seed-*") if path.is_dir()]
    assert sorted(folders) == sorted(run.path for run in runs)  # nothing was moved aside, thus nothing begun anew
    for run in runs:
        undisturbed = api.train(run.recipe, seed=run.seed, runs=tmp_path / "here", device="cpu")
        assert without_times(Run(run.path)) == without_times(undisturbed)


def test_workers_die_with_the_process_that_started_them(tmp_path):
    """When the parent is killed, nothing goes on training."""
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    command = [sys.executable, str(script), str(tmp_path / "runs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
        finally:
            parent.kill()  # with SIGKILL: it has no chance to clean up
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=120)
    try:
        assert not alive
    finally:
        for worker in alive:
            worker.kill()


def test_closing_ends_the_workers_at_once(tmp_path):
    """A run that would take for ever does not hold up `close`, and its folder stays as it is."""
    pool = Processes("cpu", 1)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    job = Job.of(load("smoke/res-gcn", {"training.duration": "100000 epochs"}), 0, tmp_path)
    pool.start(job)
    while not (Path(job.path) / "metrics.jsonl").exists():
        assert pool.wait(0.1) == []
    workers = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    pool.close()
    assert not psutil.wait_procs(workers, timeout=120)[1]
    assert not (Path(job.path) / "result.json").exists()


def test_waiting_for_nothing_takes_no_longer_than_allowed():
    """Without a job under way `wait` returns empty when its time is over."""
    pool = Processes("cpu", 1)
    began = time.monotonic()
    assert list(pool.wait(0.05)) == []
    assert time.monotonic() - began >= 0.05
    pool.close()


def test_a_cpu_has_a_slot_for_each_core(monkeypatch):
    """On a CPU every core has a run with one thread; fewer workers share the cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    assert (Processes("cpu").slots, Processes("cpu").threads) == (6, 1)
    assert Processes("cpu").why == "6 CPU cores, one single-thread process each"
    few = Processes("cpu", 2)
    assert (few.slots, few.threads, few.why) == (2, 3, "asked for")
    many = Processes("cpu", 50)
    assert (many.slots, many.threads) == (50, 1)


@pytest.mark.parametrize(
    ("device", "workers", "each"),
    [
        ("auto", None, {"cuda:0": 3, "cuda:1": 3}),
        ("cuda", None, {"cuda:0": 3, "cuda:1": 3}),
        ("cuda:1", None, {"cuda:1": 3}),
        ("auto", 4, {"cuda:0": 2, "cuda:1": 2}),
    ],
)
def test_gpus_share_the_runs(device, workers, each, monkeypatch):
    """Every GPU that may be used gets as many runs as the others."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Test GPU")
    pool = Processes(device, workers)
    taken = []
    monkeypatch.setattr(pool._pool, "schedule", lambda _, args: taken.append(args[1]) or object())
    for seed in range(pool.slots):
        pool.start(Job("run", {}, seed, "runs", f"runs/{seed}"))
    assert {name: taken.count(name) for name in taken} == each
    assert pool.threads is None
    assert pool.why == "asked for" if workers else pool.why.startswith(f"{len(each)} GPU")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    """The error comes before any work is begun."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(TrainingError, match="cuda"):
        Processes("cuda")


@pytest.mark.parametrize(
    ("code", "said"), [(3, "exit code 3"), (None, "exit code None"), (-11, "SIGSEGV"), (15, "SIGTERM")]
)
def test_deaths_are_told_in_words(code, said):
    """An exit code is told as such, a signal by its name."""
    assert said in processes._cause_of_death(code)


def test_closing_saves_what_is_under_way(tmp_path):
    """Runs that are broken off by the end of a study keep the state of that moment, and go on from there."""
    pool = Processes("cpu", 2)
    jobs = [
        Job.of(
            load("smoke/res-gcn", {"training.duration": "100000 epochs", "training.save": "90000 epochs"}),
            seed,
            tmp_path,
        )
        for seed in (0, 1)
    ]
    for job in jobs:
        pool.start(job)
    metrics = [Path(job.path) / "metrics.jsonl" for job in jobs]
    while not all(file.exists() and file.stat().st_size for file in metrics):
        assert pool.wait(0.1) == []
    pool.close()
    for job in jobs:
        state = torch.load(Path(job.path) / "state.pt", weights_only=True)
        assert 0 < state["step"] < 90000
        assert not (Path(job.path) / "failure.json").exists()


FRAGILE = """
from registry import normalizers
from zoo.normalizers.base import FeatureNormalizer

@normalizers.register("fragile")
class Fragile(FeatureNormalizer):
    broken = True

    def __init__(self, width):
        super().__init__(width)
        self.passes = 0

    def forward(self, graph, x):
        self.passes += self.training
        if self.passes == 4 and Fragile.broken:
            raise ValueError("no such luck")
        return x
"""


@pytest.fixture
def fragile(tmp_path):
    """A recipe whose training breaks off in its fourth pass, one of which is at initialisation."""
    file = tmp_path / "fragile.py"
    file.write_text(FRAGILE)
    overrides = {"normalizer": "fragile", "training.save": "1 epochs"}
    return load("smoke/res-gcn", overrides, [file])


def test_a_job_is_plain_and_knows_its_folder(tmp_path, monkeypatch):
    """It can be sent to another process, and names absolute places: workers may stand elsewhere."""
    monkeypatch.chdir(tmp_path)
    recipe = load("smoke/res-gcn")
    job = Job.of(recipe, 3, Path("runs"))
    assert pickle.loads(pickle.dumps(job)) == job
    assert json.loads(json.dumps(job.tree))
    assert Path(job.path) == tmp_path / folder.place(Path("runs"), recipe, api.identity_of(recipe), 3)
    assert Path(job.runs) == tmp_path / "runs"


def test_work_trains_as_train_does(tmp_path):
    """The run lies where the job says, is that of `train`, and was computed where it was told to."""
    recipe = load("smoke/res-gcn")
    job = Job.of(recipe, 1, tmp_path / "there")
    assert train_job(job, "cpu", 1) == JobResult("done")
    there, here = Run(job.path), api.train(recipe, seed=1, runs=tmp_path / "here", device="cpu")
    assert (there.val, there.test) == (here.val, here.test)
    assert there.environment["threads"] == 1
    assert {choice["what"]: choice["chosen"] for choice in there.environment["choices"]}["device"] == "cpu"


def test_a_bug_is_noted_with_its_trace(fragile, tmp_path):
    """Error and trace are kept in the run's folder, beside all that it had measured."""
    job = Job.of(fragile, 0, tmp_path / "runs")
    ended = train_job(job, "cpu", 1)
    assert ended.status == "failed" and "ValueError: no such luck" in ended.reason and "\n" not in ended.reason
    noted = json.loads((Path(job.path) / folder.FAILURE).read_text())
    assert noted["error"] == ended.reason
    assert 'raise ValueError("no such luck")' in noted["trace"]
    assert len((Path(job.path) / folder.METRICS).read_text().splitlines()) == 2
    assert folder.failure_of(Path(job.path)) == ended.reason


def test_a_mistake_of_the_users_is_noted_in_its_own_words(tmp_path):
    """Where the zoo explains itself, no trace is kept."""
    job = Job.of(load("smoke/res-gcn", {"split": "public"}), 0, tmp_path)
    ended = train_job(job, "cpu", 1)
    assert ended.status == "failed"
    noted = json.loads((Path(job.path) / folder.FAILURE).read_text())
    assert noted == {"error": ended.reason, "trace": ""}
    assert "public" in ended.reason


def test_another_process_in_the_folder_is_no_failure(tmp_path):
    """The job is told to be busy, and nothing is written into the folder of the other."""
    job = Job.of(load("smoke/res-gcn"), 0, tmp_path)
    with claim(Path(job.path)):
        assert train_job(job, "cpu", 1).status == "busy"
        assert not Path(job.path).exists()
    assert train_job(job, "cpu", 1) == JobResult("done")


@pytest.mark.parametrize("again", [False, True], ids=["resumes", "again"])
def test_an_interrupted_run_resumes_or_starts_over(again, fragile, tmp_path):
    """From its saved state, or, asked for again, from the start, with what was there moved aside; to one end."""
    assert train_job(Job.of(fragile, 0, tmp_path / "runs"), "cpu", 1).status == "failed"
    normalizers.get("fragile").broken = False
    undisturbed = api.train(fragile, seed=0, runs=tmp_path / "here", device="cpu")
    job = Job.of(fragile, 0, tmp_path / "runs", again=again)
    path = Path(job.path)
    rows = (path / folder.METRICS).read_text()
    assert train_job(job, "cpu", 1) == JobResult("done")
    assert Run(path).test == undisturbed.test
    assert again or (path / folder.METRICS).read_text().startswith(rows)
    aside = path.with_name("seed-0.failed-1")
    assert aside.exists() == again
    if again:
        assert (aside / folder.METRICS).read_text() == rows
        assert "ValueError: no such luck" in str(folder.failure_of(aside))


def test_a_finished_run_is_not_trained_again(tmp_path, monkeypatch):
    """Work on it is done at once."""
    job = Job.of(load("smoke/res-gcn"), 0, tmp_path)
    train_job(job, "cpu", 1)
    monkeypatch.setattr(api, "_build", lambda *_: pytest.fail("trained again"))
    assert train_job(job, "cpu", 1) == JobResult("done")


def test_a_failure_that_cannot_be_noted_is_told(tmp_path, monkeypatch):
    """On a full or read-only disk the reason still comes back, with what else went wrong."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def out_of_memory(*_: object, **__: object) -> None:
        raise TrainingError("device — out of memory")

    monkeypatch.setattr(api, "train", out_of_memory)
    monkeypatch.setattr(folder, "note_failure", full)
    ended = train_job(Job.of(load("smoke/res-gcn"), 0, tmp_path), "cpu")
    assert ended.status == "failed"
    assert ended.reason.startswith("device — out of memory (and failure.json cannot be written: ")
