"""One run as work for a process: whatever happens in it is told, and nothing is raised."""

import json
import pickle
from pathlib import Path

import pytest

from registry import normalizers
from zoo import api
from zoo.errors import TrainingError
from zoo.recipe.load import load
from zoo.runs import folder
from zoo.runs.run import Run
from zoo.runs.run_lock import claim
from zoo.studies.job import Job, JobResult, work

BROKEN = """
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
    file.write_text(BROKEN)
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
    assert work(job, "cpu", 1) == JobResult("done")
    there, here = Run(job.path), api.train(recipe, seed=1, runs=tmp_path / "here", device="cpu")
    assert (there.val, there.test) == (here.val, here.test)
    assert there.environment["threads"] == 1
    assert {choice["what"]: choice["chosen"] for choice in there.environment["choices"]}["device"] == "cpu"


def test_a_bug_is_noted_with_its_trace(fragile, tmp_path):
    """Error and trace are kept in the run's folder, beside all that it had measured."""
    job = Job.of(fragile, 0, tmp_path / "runs")
    ended = work(job, "cpu", 1)
    assert ended.how == "failed" and "ValueError: no such luck" in ended.reason and "\n" not in ended.reason
    noted = json.loads((Path(job.path) / folder.FAILURE).read_text())
    assert noted["error"] == ended.reason
    assert 'raise ValueError("no such luck")' in noted["trace"]
    assert len((Path(job.path) / folder.METRICS).read_text().splitlines()) == 2
    assert folder.failure_of(Path(job.path)) == ended.reason


def test_a_mistake_of_the_users_is_noted_in_its_own_words(tmp_path):
    """Where the zoo explains itself, no trace is kept."""
    job = Job.of(load("smoke/res-gcn", {"split": "public"}), 0, tmp_path)
    ended = work(job, "cpu", 1)
    assert ended.how == "failed"
    noted = json.loads((Path(job.path) / folder.FAILURE).read_text())
    assert noted == {"error": ended.reason, "trace": ""}
    assert "public" in ended.reason


def test_another_process_in_the_folder_is_no_failure(tmp_path):
    """The job is told to be busy, and nothing is written into the folder of the other."""
    job = Job.of(load("smoke/res-gcn"), 0, tmp_path)
    with claim(Path(job.path)):
        assert work(job, "cpu", 1).how == "busy"
        assert not Path(job.path).exists()
    assert work(job, "cpu", 1) == JobResult("done")


@pytest.mark.parametrize("again", [False, True], ids=["goes on", "again"])
def test_a_broken_off_run_goes_on_or_is_begun_anew(again, fragile, tmp_path):
    """From its saved state, or, asked for again, from the start, with what was there moved aside; to one end."""
    assert work(Job.of(fragile, 0, tmp_path / "runs"), "cpu", 1).how == "failed"
    normalizers.get("fragile").broken = False
    undisturbed = api.train(fragile, seed=0, runs=tmp_path / "here", device="cpu")
    job = Job.of(fragile, 0, tmp_path / "runs", again=again)
    path = Path(job.path)
    rows = (path / folder.METRICS).read_text()
    assert work(job, "cpu", 1) == JobResult("done")
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
    work(job, "cpu", 1)
    monkeypatch.setattr(api, "_build", lambda *_: pytest.fail("trained again"))
    assert work(job, "cpu", 1) == JobResult("done")


def test_a_failure_that_cannot_be_noted_is_told(tmp_path, monkeypatch):
    """On a full or read-only disk the reason still comes back, with what else went wrong."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def out_of_memory(*_: object, **__: object) -> None:
        raise TrainingError("device — out of memory")

    monkeypatch.setattr(api, "train", out_of_memory)
    monkeypatch.setattr(folder, "note_failure", full)
    ended = work(Job.of(load("smoke/res-gcn"), 0, tmp_path), "cpu")
    assert ended.how == "failed"
    assert ended.reason.startswith("device — out of memory (and failure.json cannot be written: ")
