"""The run folder: whole or not there, and nothing lost."""

import errno
import json
import math
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import zoo
from registry import schedules
from zoo.errors import RunError
from zoo.recipe.load import load
from zoo.runs import checkpoints as states
from zoo.runs import folder
from zoo.runs.checkpoints import Unreadable
from zoo.runs.folder import RunFolder, failure_of, is_finished, note_failure, place, writing
from zoo.runs.jsonl import finite, write_json
from zoo.runs.record import Environment
from zoo.runs.run import Run

FILES = {"recipe.yaml", "environment.json", "metrics.jsonl", "model.safetensors", "result.json"}


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def test_place_is_recipe_identity_seed(recipe):
    """Runs of one recipe lie together, one folder for each identity and seed."""
    assert place(Path("runs"), recipe, "abc", 3) == Path("runs/smoke/res-gcn/abc/seed-3")


def test_a_finished_run_has_its_five_files(finished):
    """Nothing is missing, and no draft is left."""
    run = finished()
    assert names(run.path) == FILES
    assert is_finished(run.path)
    assert torch.equal(load_file(run.path / "model.safetensors")["weight"], torch.arange(3.0))


def test_weights_of_several_names_are_written_once(tmp_path, a_record):
    """Shared tensors stand under their first name; the same numbers in another shape are kept, empty ones too."""
    record, shared = RunFolder(tmp_path / "run"), torch.arange(6.0).view(2, 3)
    weights = {
        "a": shared,
        "b": shared.detach(),
        "turned": shared.T,
        "none": shared[:0],
        "no": shared[:0],
    }
    record.finish(weights, a_record())
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert set(kept) == set(weights) - {"b"}
    assert all(torch.equal(kept[name], weights[name]) for name in kept)


def test_weights_in_any_memory_layout_are_kept(tmp_path, a_record):
    """Transposed views and half precision come back as they were."""
    record = RunFolder(tmp_path / "run")
    weights = {"turned": torch.arange(6.0).view(2, 3).T, "half": torch.ones(2, dtype=torch.bfloat16)}
    record.finish(weights, a_record())
    for name, value in load_file(tmp_path / "run" / "model.safetensors").items():
        assert torch.equal(value, weights[name])


@pytest.mark.parametrize("fails", ["result", "weights"])
def test_a_failure_while_finishing_leaves_no_result(tmp_path, monkeypatch, fails, a_record):
    """Whichever file breaks off, there is no result.json: the run does not count as finished."""

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    record = RunFolder(tmp_path / "run")
    monkeypatch.setattr(*((os, "fsync") if fails == "result" else (folder, "save_file")), full)
    with pytest.raises(RunError, match="no space is left"):
        record.finish({"weight": torch.ones(2)}, a_record())
    assert not is_finished(tmp_path / "run")
    assert "result.json" not in names(tmp_path / "run")


def test_a_failure_half_way_leaves_the_older_file(tmp_path):
    """A value that JSON has no word for is met after half of the file: what was there before stays whole."""
    file = tmp_path / "result.json"
    write_json(file, {"test": 0.5})
    with pytest.raises(TypeError):
        write_json(file, {"test": 0.75, "odd": object()})
    assert json.loads(file.read_text()) == {"test": 0.5}


def test_result_comes_after_the_weights(tmp_path, monkeypatch, a_record):
    """When result.json appears the weights are there already."""
    there: list[set[str]] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        there.append(names(tmp_path / "run"))
        return replace(self, target)

    record = RunFolder(tmp_path / "run")
    monkeypatch.setattr(Path, "replace", watched)
    record.finish({"weight": torch.ones(2)}, a_record())
    assert [seen & FILES for seen in there] == [{"metrics.jsonl"}, {"metrics.jsonl", "model.safetensors"}]


def test_metrics_are_there_line_by_line(tmp_path):
    """Each validation can be read as soon as it is measured, from a run that is still going on."""
    record = RunFolder(tmp_path / "run")
    for epoch in (1, 2):
        record.measured({"epoch": epoch, "loss": float("inf")})
        lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        assert json.loads(lines[-1]) == {"epoch": epoch, "loss": None}
        assert len(lines) == epoch
    record.close()


def test_what_is_in_the_way_is_moved_aside_by_number(tmp_path, a_record):
    """Unfinished and previous folders keep their content under names of their own; nothing is deleted."""
    path = tmp_path / "seed-0"
    for number in range(5):
        record = RunFolder(path)
        (path / "mark").write_text(str(number))
        if number in (1, 3):
            record.finish({}, a_record(seed=number))
        record.close()
    assert names(tmp_path) == {
        "seed-0",
        "seed-0.unfinished-1",
        "seed-0.previous-1",
        "seed-0.unfinished-2",
        "seed-0.previous-2",
    }
    marks = {file.parent.name: file.read_text() for file in tmp_path.glob("*/mark")}
    assert marks == {
        "seed-0.unfinished-1": "0",
        "seed-0.previous-1": "1",
        "seed-0.unfinished-2": "2",
        "seed-0.previous-2": "3",
        "seed-0": "4",
    }


def test_a_gap_in_the_numbers_overwrites_nothing(tmp_path):
    """A number that is taken is never used again, even if the ones before it are free."""
    (tmp_path / "seed-0.unfinished-2").mkdir()
    (tmp_path / "seed-0.unfinished-2" / "mark").write_text("kept")
    for _ in range(3):
        RunFolder(tmp_path / "seed-0").close()
    assert (tmp_path / "seed-0.unfinished-2" / "mark").read_text() == "kept"
    assert {"seed-0.unfinished-1", "seed-0.unfinished-3"} <= names(tmp_path)


def test_nan_and_infinity_become_null():
    """At any depth, in lists and mappings; other values stay, keys become text."""
    value = {"a": math.nan, "b": [1, math.inf, (True, None)], 3: {"c": -math.inf, "d": 0.5}, "e": "nan"}
    assert finite(value) == {"a": None, "b": [1, None, [True, None]], "3": {"c": None, "d": 0.5}, "e": "nan"}


def test_json_is_strict_and_readable(tmp_path):
    """No NaN literal that other readers stumble over, and letters as they are."""
    write_json(tmp_path / "a.json", {"μ": math.nan})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON")) == {"μ": None}
    assert "μ" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("parts", [("file",), ("file", "below")], ids=["a file", "below a file"])
def test_a_root_that_cannot_be_written_is_an_error(tmp_path, parts):
    """Where no folder can be made, the error names the place and the option."""
    (tmp_path / "file").write_text("in the way")
    path = tmp_path.joinpath(*parts) / "seed-0"
    with pytest.raises(RunError, match=r"run folder .*seed-0 — cannot be made: .* — expected a folder to write to"):
        RunFolder(path)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_root_is_an_error(tmp_path):
    """A folder without write permission is the user's to mend."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            RunFolder(tmp_path / "runs")
    finally:
        tmp_path.chmod(0o700)


def test_the_recipe_is_written_so_that_it_reads_back(tmp_path, recipe):
    """recipe.yaml gives the same recipe again."""
    record = RunFolder(tmp_path / "run")
    record.describe(recipe, Environment())
    record.close()
    assert load(tmp_path / "run" / "recipe.yaml").plain() == recipe.plain()


PLUGIN = """
from registry import schedules

@schedules.register("{name}")
class Mine:
    '''A schedule of one's own.'''
"""


def test_plugins_are_copied_beside_it(tmp_path):
    """The folder holds the code that it needs, under paths relative to the recipe, also for files of one name."""
    plugins = [tmp_path / folder / "mine.py" for folder in ("a", "b")]
    for plugin in plugins:
        plugin.parent.mkdir()
        plugin.write_text(PLUGIN.format(name=f"schedule-{plugin.parent.name}"))
    try:
        recipe = load("smoke/res-gcn", plugins=plugins)
        record = RunFolder(tmp_path / "run")
        record.describe(recipe, Environment())
        record.close()
        again = load(tmp_path / "run" / "recipe.yaml", allow_plugins=True)
    finally:
        for name in schedules.registered():
            schedules.unregister(name)
    copies = ["plugins/mine.py", "plugins/2/mine.py"]
    assert [(tmp_path / "run" / copy).read_text() for copy in copies] == [plugin.read_text() for plugin in plugins]
    assert again.plugins == tuple(str(tmp_path / "run" / copy) for copy in copies)


def test_a_failure_is_kept_beside_what_was_measured(tmp_path):
    """Reason and trace are noted, the rest stays; also where there is no folder yet."""
    record = RunFolder(tmp_path / "run")
    record.measured({"epoch": 1})
    record.close()
    assert failure_of(tmp_path / "run") is None
    note_failure(tmp_path / "run", "out of μ", "line 3")
    assert names(tmp_path / "run") == {"metrics.jsonl", "failure.json"}
    assert failure_of(tmp_path / "run") == "out of μ"
    assert json.loads((tmp_path / "run" / "failure.json").read_text()) == {"error": "out of μ", "trace": "line 3"}
    note_failure(tmp_path / "new" / "run", "no data")
    assert failure_of(tmp_path / "new" / "run") == "no data"
    assert not is_finished(tmp_path / "new" / "run")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"word"'])
def test_a_failure_that_cannot_be_read_is_one(tmp_path, text):
    """A broken file still says that something went wrong."""
    (tmp_path / "failure.json").write_text(text)
    assert failure_of(tmp_path) == "failure.json cannot be read"


def test_a_finished_run_has_not_failed(tmp_path, a_record):
    """A run that went on after a failure, to its end, is finished."""
    note_failure(tmp_path / "run", "out of luck")
    record = RunFolder(tmp_path / "run", resume=True)
    record.finish({}, a_record())
    note_failure(tmp_path / "run", "out of luck")
    assert failure_of(tmp_path / "run") is None


def test_a_failed_run_is_moved_aside_as_such(tmp_path):
    """Its name tells it from runs that were broken off, and its reason is kept."""
    for error in ("first", "second"):
        note_failure(tmp_path / "seed-0", error)
        RunFolder(tmp_path / "seed-0").close()
    assert names(tmp_path) == {"seed-0", "seed-0.failed-1", "seed-0.failed-2"}
    assert [failure_of(tmp_path / f"seed-0.failed-{number}") for number in (1, 2)] == ["first", "second"]
    assert failure_of(tmp_path / "seed-0") is None


def test_a_failed_run_may_go_on_from_its_state(tmp_path):
    """Nothing is moved aside then."""
    record = RunFolder(tmp_path / "seed-0")
    record.measured({"step": 1})
    record.save({"step": 1})
    record.close()
    note_failure(tmp_path / "seed-0", "out of memory")
    again = RunFolder(tmp_path / "seed-0", resume=True)
    again.close()
    assert again.state == {"step": 1}
    assert names(tmp_path) == {"seed-0"}


def broken(path: Path, *steps: int) -> None:
    """A run that measured and probed so many steps, saved its state after each, and was killed while writing a line."""
    record = RunFolder(path)
    for step in steps:
        record.measured({"step": step})
        record.probed({"step": step, "mu": 0.5})
        record.save({"step": step})
    record.measured({"step": steps[-1] + 1})
    record.close()
    with (path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 1')


def test_lines_after_the_state_are_cut(tmp_path):
    """Also one that was torn; what is measured again comes after what was measured before the state."""
    broken(tmp_path / "run", 1, 2)
    record = RunFolder(tmp_path / "run", resume=True)
    record.measured({"step": 3})
    record.close()
    assert record.state == {"step": 2} and record.resumed == "state.pt"
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3}\n'
    assert len((tmp_path / "run" / "probes.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("file", ["metrics.jsonl", "probes.jsonl"])
@pytest.mark.parametrize(("change", "said"), [("gone", "has 0 of the"), ("changed", "was changed"), ("link", "a link")])
def test_lines_that_do_not_fit_the_state_are_refused(tmp_path, file, change, said):
    """Lines that are missing or were changed before the state: nothing is cut, and the way on is said."""
    broken(tmp_path / "run", 1, 2)
    place = tmp_path / "run" / file
    if change == "changed":
        place.write_text(place.read_text().replace("1", "7", 1))
    else:
        place.rename(tmp_path / "elsewhere")
    if change == "link":
        place.symlink_to(tmp_path / "elsewhere")
    before = {each: each.read_bytes() for each in (tmp_path / "run").iterdir()}
    with pytest.raises(RunError, match=rf"run folder .*{file} .*{said}.* train without --resume"):
        RunFolder(tmp_path / "run", resume=True)
    assert {each: each.read_bytes() for each in (tmp_path / "run").iterdir()} == before


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, a_record):
    """It is said, the damaged one is kept, and the run that goes on saves and finishes as any other."""
    broken(tmp_path / "run", 1, 2, 3)
    state = tmp_path / "run" / "state.pt"
    damaged = bytearray(state.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    state.write_bytes(damaged)
    with pytest.warns(Unreadable, match=r"state\.pt cannot be read: .* resumes from state\.previous\.pt"):
        record = RunFolder(tmp_path / "run", resume=True)
    assert record.state == {"step": 2} and record.resumed.startswith("state.previous.pt; state.pt cannot be read")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "run" / "state.broken.pt").read_bytes() == damaged
    record.save({"step": 3})
    assert {"state.pt", "state.previous.pt"} <= names(tmp_path / "run")
    record.finish({"weight": torch.ones(2)}, a_record())
    assert names(tmp_path / "run") == FILES - {"recipe.yaml", "environment.json"} | {"probes.jsonl"}


def test_no_link_is_written_through(tmp_path, a_record):
    """A link in the place of a file is replaced or refused; what it points to stays as it is."""
    (tmp_path / "elsewhere").write_text("untouched")
    record = RunFolder(tmp_path / "run")
    for name in ("state.pt", "state.pt.part", "model.safetensors", "result.json.part", "recipe.yaml"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "probes.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError):
        record.probed({"step": 1})
    (tmp_path / "run" / "probes.jsonl").unlink()
    record.save({"step": 1})
    record.finish({"weight": torch.ones(2)}, a_record())
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert not (tmp_path / "run" / "result.json").is_symlink()


def test_a_state_that_would_blow_up_is_not_read(tmp_path):
    """PyTorch stores what it saves as it is; a compressed state is somebody else's, and is refused unread."""
    record = RunFolder(tmp_path / "run")
    record.save({"step": 1, "x": torch.zeros(1 << 20)})
    record.close()
    packed = zipfile.ZipFile(tmp_path / "packed", "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / "run" / "state.pt") as old, packed as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    (tmp_path / "packed").replace(tmp_path / "run" / "state.pt")
    with pytest.raises(RunError, match="is compressed"):
        RunFolder(tmp_path / "run", resume=True)


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
