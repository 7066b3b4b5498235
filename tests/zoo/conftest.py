"""Studies as files, runs as results, executors that only pretend, and processes that train together."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from zoo.recipe.check import check
from zoo.recipe.recipe import Recipe
from zoo.runs.folder import RunFolder
from zoo.runs.record import Environment, GradientSimilarity, RunRecord, SplitId
from zoo.studies.processes import Executor, Job, JobResult

StudyFile = Callable[..., Path]
Result = Callable[..., None]
Act = Callable[[Job], JobResult]

Torchrun = Callable[..., subprocess.Popen[str]]

if not torch.cuda.is_available():
    # Read when the loops are defined: Triton then runs them in NumPy, on the CPU.
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(scope="session")
def triton_device() -> str:
    """Where Triton's loops are tried: on a GPU, or without one by Triton's interpreter."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def torchrun(tmp_path_factory) -> Torchrun:
    """Starts two processes that train together, on a port that is free; what follows torchrun's options is given."""

    def start(*words: object, folder: Path | None = None, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        return subprocess.Popen(
            [*command, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder or tmp_path_factory.mktemp("team"),
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
            start_new_session=True,  # so that a test can interrupt it as a terminal does
        )

    return start


class Pretend(Executor):
    """Ends one job each time it is waited for, in the order of their start, as `act` says; remembers all of them."""

    why = "as the test says"

    def __init__(self, act: Act, slots: int = 2) -> None:
        self.act, self.slots = act, slots
        self.started: list[Job] = []
        self.open: list[Job] = []

    def start(self, job: Job) -> None:
        assert len(self.open) < self.slots
        self.started.append(job)
        self.open.append(job)

    def wait(self, seconds: float) -> Sequence[tuple[Job, JobResult]]:
        if not self.open:
            time.sleep(min(seconds, 0.01))
            return ()
        job = self.open.pop(0)
        return [(job, self.act(job))]

    def close(self) -> None:
        self.open.clear()


@pytest.fixture
def pretend() -> Callable[..., Pretend]:
    """Makes an executor that ends its jobs as a function says."""
    return Pretend


@pytest.fixture
def study_file(tmp_path: Path) -> StudyFile:
    """Writes a study on `smoke/res-gcn`; keyword arguments are its keys."""

    def write(name: str = "tiny", **keys: Any) -> Path:
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"base": "smoke/res-gcn", **keys}, sort_keys=False), encoding="utf-8")
        return file

    return write


@pytest.fixture(scope="session")
def a_record() -> Callable[..., RunRecord]:
    """Makes the record of a finished run; keyword arguments replace what it says."""

    def make(**changes: Any) -> RunRecord:
        values: dict[str, Any] = {
            "recipe": "smoke/res-gcn",
            "identity": "0123456789ab",
            "seed": 0,
            "status": "finished",
            "metric": "accuracy",
            "val": 0.75,
            "test": 0.5,
            "train": 1.0,
            "metric_range": (0.0, 1.0),
            "best_epoch": 1,
            "epochs": 5,
            "steps": 5,
            "seconds": 1.5,
            "seconds_with_setup": 2.0,
            "split": SplitId("random, train 0.6, val 0.2, the rest test", 0, False, "seed"),
            "environment": Environment(zoo="0"),
            "gradient_similarity": GradientSimilarity(1e-2, 1e-3, 10.0),
        }
        return RunRecord(**{**values, **changes})

    return make


@pytest.fixture
def result(a_record) -> Result:
    """Writes a finished run with the figures that it is given."""

    def write(
        path: str | Path,
        recipe: Recipe,
        seed: int = 0,
        *,
        val: float | None = 0.5,
        test: float | None = 0.5,
        probes: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> None:
        record = RunFolder(Path(path))
        record.describe(recipe, Environment(zoo="0"))
        record.measured({"epoch": 1, "step": 1, "loss": 0.5, "val": val, "best_val": val, "lr": 0.01, "seconds": 0.1})
        for row in probes:
            record.probed(row)
        names = {"recipe": recipe.name, "identity": Path(path).parent.name, "seed": seed}
        times = {"seconds": 0.1, "seconds_with_setup": 0.2}
        record.finish({}, a_record(**{**names, **times, "val": val, "test": test, **more}))

    return write


@pytest.fixture
def scored(result: Result) -> Callable[[Callable[[Recipe, int], tuple[float | None, float | None]]], Act]:
    """What an executor does to finish runs with the (val, test) that a function of recipe and seed gives."""

    def of(figures: Callable[[Recipe, int], tuple[float | None, float | None]]) -> Act:
        def act(job: Job) -> JobResult:
            recipe = check(job.name, dict(job.tree))
            val, test = figures(recipe, job.seed)
            result(job.path, recipe, job.seed, val=val, test=test)
            return JobResult("done")

        return act

    return of
