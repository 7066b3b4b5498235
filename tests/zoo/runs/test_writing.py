"""A disk that fills up, a folder that goes: one error each, what was saved stays whole, and the run goes on from it."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import zoo
from zoo.errors import RunError
from zoo.runs import checkpoints as states
from zoo.runs.run import Run
from zoo.runs.writing import writing

RECIPE, OVERRIDES = "smoke/res-gcn", {"training.duration": 8, "training.save": 2, "training.evaluate": 1}


def train(runs: Path, **options) -> Run:
    return zoo.train(RECIPE, OVERRIDES, runs=runs, **options)


def records(run: Run) -> tuple[bytes, list[dict], object]:
    """What a run leaves, but for the time that it took."""
    metrics = run.metrics.drop(columns="seconds").to_dict("records")
    return (run.path / "model.safetensors").read_bytes(), metrics, (run.val, run.test, run.result["steps"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    """The run that nothing interrupted."""
    return train(tmp_path_factory.mktemp("whole"))


def mounted(folder: Path, options: str) -> bool:
    """Whether a small file system of its own could be mounted there, which takes an administrator."""
    folder.mkdir(exist_ok=True)
    return not subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True).returncode


@pytest.fixture
def mount(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system, or changes one that is mounted; skips where that is not allowed."""
    folder = tmp_path / "disk"

    def make(options: str) -> Path:
        if not hasattr(os, "geteuid") or os.geteuid() or not mounted(folder, options):
            pytest.skip("mounting a small disk takes an administrator")
        return folder

    yield make
    subprocess.run(["umount", folder], capture_output=True)


@pytest.mark.parametrize("kilobytes", [4, 16, 40, 100, 160])
def test_a_disk_that_fills_up(mount, whole, kilobytes):
    """Wherever in a run the disk becomes full: one error, and with more room `resume` ends as if nothing had been."""
    disk = mount(f"size={kilobytes}k")
    with pytest.raises(RunError, match=r"no space is left there \(.* free\); make room there") as caught:
        train(disk)
    assert "--resume" in str(caught.value)
    subprocess.run(["mount", "-o", "remount,size=2m", disk], check=True)
    assert records(train(disk, resume=True)) == records(whole)


def test_a_disk_that_can_only_be_read(mount):
    """Neither a first run nor `again` begins; a finished one is returned, and nothing of it is lost."""
    disk = mount("size=2m")
    finished = train(disk)
    before = records(finished)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert train(disk).path == finished.path
    for options in ({"again": True}, {"seed": 1}):
        with pytest.raises(RunError, match="cannot be made: the file system can only be read"):
            train(disk, **options)
    assert records(finished) == before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space is left there"),
        (errno.EDQUOT, "the quota there is used up"),
        (errno.EIO, "the device or its connection failed"),
    ],
)
@pytest.mark.parametrize("at", [0, 3, 9, 15, 22])
def test_a_write_that_fails(tmp_path, monkeypatch, whole, number, said, at):
    """Whichever flush to the disk fails, and with what: one error, and the run goes on from what was saved."""
    calls = 0
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(RunError, match=said):
        train(tmp_path)
    monkeypatch.setattr(os, "fsync", fsync)
    (folder,) = tmp_path.glob("smoke/res-gcn/*/seed-0")
    assert not list(folder.glob("*.part"))
    assert records(train(tmp_path, resume=True)) == records(whole)


class Removing:
    """A watcher that acts on the run's folder after a validation."""

    def __init__(self, act: Callable[[], object], at: int) -> None:
        self.act, self.at = act, at

    def measured(self, row) -> None:
        if row["step"] == self.at:
            self.act()

    def probed(self, row) -> None:
        """Nothing."""


@pytest.mark.parametrize("at", [1, 4, 7])
@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_folder_that_goes(tmp_path, at, how):
    """Whoever removes or moves a run's folder while it is written is told so before long, and not by a trace."""

    def act() -> None:
        (folder,) = tmp_path.glob("smoke/res-gcn/*/seed-0")
        shutil.rmtree(folder) if how == "removed" else folder.rename(tmp_path / "elsewhere")

    with pytest.raises(RunError, match="seed-0 is not there, or no longer; was it moved or removed"):
        train(tmp_path, watch=lambda built: Removing(act, at))
    if how == "moved" and at > 2:
        assert (tmp_path / "elsewhere" / states.STATE).exists()


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_file_where_the_folder_is_wanted(tmp_path, below):
    """It is named, with what to do."""
    (tmp_path / "taken").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot be made: .*/taken is a file, where a folder is wanted; move it away"):
        train(tmp_path / "taken" / below)


def test_a_name_that_is_too_long(tmp_path):
    """The limit is the file system's; the message has the length."""
    with pytest.raises(RunError, match="a name of 300 bytes is too long for this file system"):
        train(tmp_path / ("x" * 300))


def test_not_permitted(tmp_path, monkeypatch):
    """It says whose folder it is."""

    def refuse(*arguments, **options) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "runs"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError, match=rf"cannot be made: not permitted, as {tmp_path} is user \w+'s"):
        train(tmp_path / "runs")


def test_other_errors_pass():
    """What is no error of a file, and what is explained already, stays what it is."""
    with pytest.raises(ZeroDivisionError), writing(Path("x")):
        _ = 1 / 0
    with pytest.raises(RunError, match=r"^said$"), writing(Path("x")):
        raise RunError("said") from OSError(errno.ENOSPC, "full")
