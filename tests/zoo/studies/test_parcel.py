"""Run folders that travel: whole, at once, and in nobody's way."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from zoo.errors import RunBusy, RunError
from zoo.runs.run_lock import claim
from zoo.studies.parcel import pack, unpack


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


def test_a_parcel_cannot_reach_outside_its_folder(tmp_path):
    """Names that climb out of the folder are refused, and nothing is unpacked."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../evil", "x")
    with pytest.raises(RunError, match="would leave its folder"):
        unpack(stream.getvalue(), tmp_path / "a" / "b" / "seed-0")
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "a" / "b" / "seed-0").exists()
