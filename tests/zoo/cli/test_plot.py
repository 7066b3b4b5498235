"""`zoo plot`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from zoo.cli.plot import plot
from zoo.errors import RunError
from zoo.runs import folder
from zoo.runs.record import read_record, write_record


@pytest.fixture
def run(tmp_path, a_record):
    """Makes a folder with a finished run that validated twice and measured its gradient once."""

    def make(seed: int = 0, root: str = "runs", val: float | None = 0.5) -> Path:
        path = tmp_path / root / "hello" / "0123456789ab" / f"seed-{seed}"
        path.mkdir(parents=True)
        rows = [{"epoch": epoch, "step": epoch, "val": val} for epoch in (1, 2)]
        (path / folder.METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows if val is not None))
        if val is not None:
            (path / folder.PROBES).write_text('{"step": 1, "epoch": 1, "gradients.mu.plain": [2.0, 1.0]}\n')
        record = a_record(recipe="hello", seed=seed, val=val, test=val)
        write_record(path, record.environment)
        write_record(path, record)
        return path

    return make


def test_pictures_stand_beside_the_run(run, capsys):
    """Every picture is written to the run's folder in both formats, and each file is named once."""
    path = run()
    plot([path, path])
    written = capsys.readouterr().out.splitlines()
    names = ("training", "profile", "heatmap")
    assert written == [str(path / "plots" / f"{name}.{kind}") for name in names for kind in ("png", "svg")]
    assert all(Path(file).stat().st_size > 1000 for file in written)


def test_a_place_and_formats_of_ones_own(run, tmp_path, capsys):
    """One run goes straight to --to; several are told apart below it; --json lists the files."""
    first, second = run(0), run(1)
    plot([first], to=tmp_path / "one", formats="svg")
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["heatmap.svg", "profile.svg", "training.svg"]
    capsys.readouterr()
    plot([first, second], to=tmp_path / "both", formats="png, png", as_json=True)
    files = json.loads(capsys.readouterr().out)
    assert len(files) == 6
    for seed in (0, 1):
        assert str(tmp_path / "both" / "hello" / "0123456789ab" / f"seed-{seed}" / "training.png") in files
    assert not (first / "plots").exists()


def test_no_picture_is_written_over_that_of_another_run(run, tmp_path):
    """Two runs that would share a folder are refused before anything is drawn."""
    with pytest.raises(typer.BadParameter, match="same folder"):
        plot([run(root="a"), run(root="b")], to=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_draw_is_said(run, capsys):
    """A run that measured nothing gets a line on standard error, and no file."""
    path = run(val=None)
    plot([path])
    printed = capsys.readouterr()
    assert printed.out == "" and f"run folder {path} — has neither validations nor probes" in printed.err


def test_mistakes_are_found_before_anything_is_drawn(run, tmp_path):
    """An unknown format or folder is the user's error, and no run is drawn halfway."""
    path = run()
    with pytest.raises(typer.BadParameter, match="'gif' — expected some of png, svg, pdf"):
        plot([path], formats="png,gif")
    with pytest.raises(RunError, match="there is no run in it"):
        plot([path, tmp_path / "nowhere"])
    assert not (path / "plots").exists()


@pytest.mark.parametrize("name", ["../../../away", "/away", "a\x1b[31m"])
def test_a_name_in_a_result_leads_nowhere(run, tmp_path, name):
    """Pictures of several runs are laid out by their names, below the folder that was asked for."""
    paths = [run(seed) for seed in (0, 1)]
    for path in paths:
        write_record(path, replace(read_record(path), recipe=name, identity=name))
    before = set(tmp_path.rglob("*"))
    plot(paths, to=tmp_path / "to" / "here", formats="svg")
    new = set(tmp_path.rglob("*")) - before - {tmp_path / "to"}
    assert new
    assert all(path.is_relative_to(tmp_path / "to" / "here") for path in new)
    assert not Path("/away").exists()


def test_a_link_among_a_runs_files_is_not_written_through(run, tmp_path):
    """A folder of pictures that leads elsewhere is refused."""
    path = run()
    (tmp_path / "elsewhere").mkdir()
    (path / "plots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link, which is not written through"):
        plot([path])
    assert not list((tmp_path / "elsewhere").iterdir())
