"""The folder of a run: everything about it, as text, and its best weights.

    runs/<recipe>/<identity>/seed-<s>/
        recipe.yaml        resolved, runs again by itself
        environment.json   versions, device, data facts, every automatic choice with its reason
        metrics.jsonl      one line per validation
        probes.jsonl       one line per measured step
        model.safetensors  the weights that validated best
        state.pt           to resume from, while the run is not finished; state.previous.pt is the one before
        result.json        written last and whole: without it the run is not finished
        failure.json       the reason, if an error ended the run

Nothing is deleted or overwritten: what is in the way is moved aside, under a name that says what it was.
"""

import itertools
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from zoo.errors import RunError, ZooError
from zoo.recipe import yaml_text
from zoo.recipe.recipe import Recipe
from zoo.runs import checkpoints
from zoo.runs.jsonl import Lines, parse_json, write_json
from zoo.runs.record import RECIPE, RESULT, Environment, RunRecord, write_record
from zoo.system.files import drafted, expanded, replacing, sha256_of, sync
from zoo.system.os_errors import explained, os_error_of

FAILURE, METRICS, PROBES, WEIGHTS = "failure.json", "metrics.jsonl", "probes.jsonl", "model.safetensors"


def place(root: Path, recipe: Recipe, identity: str, seed: int) -> Path:
    """Return the folder of the run of a recipe with a seed."""
    return expanded(root) / recipe.name / identity / f"seed-{seed}"


def is_finished(path: Path) -> bool:
    """Tell whether a folder holds a finished run."""
    return os.path.isfile(path / RESULT)  # noqa: PTH113 (Path.is_file raises where it may not look)


def finished_at(path: Path) -> int | None:
    """Return when the run in a folder was finished, in the file system's nanoseconds; None if it is not."""
    try:
        return (path / RESULT).stat().st_mtime_ns
    except OSError:
        return None


def failure_of(path: Path) -> str | None:
    """Return why the run in a folder failed; None if it is finished, or no error is known of."""
    if is_finished(path) or not (path / FAILURE).is_file():
        return None
    try:
        return str(parse_json((path / FAILURE).read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{FAILURE} cannot be read"


def note_failure(path: Path, error: str, trace: str = "") -> None:
    """Write the error that ended a run into its folder; the rest of the folder stays as it is."""
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / FAILURE, {"error": error, "trace": trace})


def refuse_interrupted(path: Path) -> None:
    """Raise RunError where there is an interrupted run that could be resumed; whether to leave it is for its user."""
    try:
        found = checkpoints.read(path)
    except RunError:
        return  # nothing of it can be resumed
    if found is None or is_finished(path):
        return
    step = found[0].get("step")
    raise RunError(
        f"run folder {path} — an interrupted run is there, saved after step {step}{_epoch(path, step)} — expected "
        "--resume (resume=True), which resumes it, or --again (again=True), which moves it aside and trains anew"
    )


def _epoch(path: Path, step: Any) -> str:
    """Return the epoch that was validated last before a step, in words; nothing if none was, or it is not known."""
    try:
        rows = [parse_json(line) for line in (path / METRICS).read_text(encoding="utf-8").splitlines()]
        epochs = [row["epoch"] for row in rows if row["step"] <= step]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f", at epoch {epochs[-1]}" if epochs else ""


def move_aside(path: Path) -> None:
    """Rename what is at a run's place to `….previous-N`, `….failed-N` or `….unfinished-N`; nothing if nothing is."""
    if path.exists():
        rename_aside(path, "previous" if is_finished(path) else "failed" if (path / FAILURE).exists() else "unfinished")
        sync(path.parent)


def rename_aside(path: Path, kind: str, ending: str = "") -> Path:
    """Rename a file or folder to `<name>.<kind>-N<ending>` with the first N that is free, and return that path."""
    stem = path.name.removesuffix(ending)
    names = (path.with_name(f"{stem}.{kind}-{number}{ending}") for number in itertools.count(1))
    return path.rename(next(name for name in names if not name.exists()))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a system's error of writing into a run folder, also as other libraries report it, into a RunError."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        cause = os_error_of(error)
        if cause is None:
            raise
        raise RunError(
            f"run folder {path} — cannot be written: {explained(cause, path)} — expected a folder that takes the run's "
            "records; what it has is whole — then 'zoo train … --resume' resumes from the state saved last"
        ) from error


class RunFolder:
    """Writes one run's records as they come; watches a trainer and saves its state.

    resume: continue in the folder of an unfinished run; `state` is then the state that it saved last, or None if it
    saved none, in which case the run begins anew; `resumed` names the file. If the state saved last cannot be read (a
    dying disk), the run resumes from the one before, and `Unreadable` is warned. Lines written after the state are cut
    off: they will be written again.
    Raises: RunError if the folder cannot be made, no saved state can be read, or the lines before it are not there.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        found = checkpoints.read(path) if resume and not is_finished(path) else None
        self.state: dict[str, Any] | None = None
        self.resumed = ""
        marks: dict[str, Any] = {}
        try:
            if found is None:
                move_aside(path)
                path.mkdir(parents=True)
                sync(path.parent)
            else:
                self.state, name, wrong = found
                marks = self.state.pop("lines", {})
                self.resumed = f"{name}; {wrong}" if wrong else name
            self._metrics = Lines(path / METRICS, marks.get(METRICS))
            self._probes = Lines(path / PROBES, marks.get(PROBES))  # made when something is probed
            if found is not None:
                self._metrics.cut()
                self._probes.cut()
            self._metrics.open()
        except OSError as error:
            raise RunError(
                f"run folder {path} — cannot be made: {explained(error, path)} — expected a folder to write to "
                "(--runs DIR)"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"run folder {path} — its lines do not fit the saved state: {error} — expected the {METRICS} and "
                f"{PROBES} that the run wrote — train without --resume"
            ) from error
        if found and found[2]:
            checkpoints.set_aside_broken(path)
            warnings.warn(
                f"run folder {path} — {found[2]} — kept as {checkpoints.BROKEN}; the run resumes from {found[1]}",
                checkpoints.Unreadable,
                stacklevel=2,
            )

    def describe(self, recipe: Recipe, environment: Environment) -> None:
        """Write the resolved recipe, with copies of its plug-ins beside it, and the environment; once for each run."""
        with writing(self.path):
            if self.state is not None:
                return
            values = {"name": recipe.name, **recipe.plain()}
            copies = [_copy(Path(plugin), self.path / "plugins") for plugin in recipe.plugins]
            values["plugins"] = [copy.relative_to(self.path).as_posix() for copy in copies]
            with replacing(self.path / RECIPE) as stream:
                stream.write(yaml_text.write(values).encode())
            write_record(self.path, environment)

    def measured(self, row: Mapping[str, Any]) -> None:
        """Append one validation to metrics.jsonl."""
        with writing(self.path):
            self._metrics.append(row)

    def probed(self, row: Mapping[str, Any]) -> None:
        """Append one reading to probes.jsonl."""
        with writing(self.path):
            self._probes.append(row)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write what the run can be resumed from; at every moment there is a state that is whole, once there was one.

        What was measured before is on the disk before it.
        """
        with writing(self.path):
            lines = {METRICS: self._metrics, PROBES: self._probes}
            for each in lines.values():
                each.sync()
            checkpoints.save(self.path, {**state, "lines": {name: each.mark() for name, each in lines.items()}})

    def finish(self, weights: Mapping[str, Tensor], record: RunRecord) -> None:
        """Write the weights, then the record, with their digest: its presence means that all is there, on the disk."""
        with writing(self.path):
            with closing(self):
                self._metrics.sync()
                self._probes.sync()
            with drafted(self.path / WEIGHTS) as draft:
                save_file(_distinct(weights), draft)
            write_record(self.path, replace(record, weights=sha256_of(self.path / WEIGHTS)))
            checkpoints.forget(self.path)  # there is nothing left to resume

    def close(self) -> None:
        """Close what is open; for a run that is broken off."""
        with writing(self.path):
            try:
                self._metrics.close()
            finally:
                self._probes.close()


def _distinct(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights on the CPU; what several names share, under the first alone, as safetensors has no aliases."""
    found: dict[Any, tuple[str, Tensor]] = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        found.setdefault(place, (name, tensor))
    return {name: tensor.detach().cpu().contiguous() for name, tensor in found.values()}


def _copy(file: Path, folder: Path) -> Path:
    """Copy a file under its own name, by which a plug-in is known; a second of that name gets a folder of its own."""
    place, number = folder, 1
    while (place / file.name).exists():
        number += 1
        place = folder / str(number)
    place.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(file, place / file.name))
