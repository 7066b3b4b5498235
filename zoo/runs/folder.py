"""A run's folder: everything about it, as text, and its best weights.

    runs/<recipe>/<identity>/seed-<s>/
        recipe.yaml        resolved, runs again by itself
        environment.json   versions, device, data facts, every automatic choice with its reason
        metrics.jsonl      one line per validation
        probes.jsonl       one line per measured step
        model.safetensors  the weights that validated best
        state.pt           what to resume from, while the run is not finished
        result.json        written last and whole: without it the run is not finished
        failure.json       why the run broke off, if an error ended it

Nothing is deleted or overwritten: what is in the way is moved aside, under a name that says what it was.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import torch
from safetensors.torch import save_file
from torch import Tensor

from zoo.errors import RunError
from zoo.recipe import text
from zoo.recipe.schema import Recipe

RESULT, FAILURE, METRICS, PROBES, RECIPE, ENVIRONMENT, WEIGHTS, STATE = (
    "result.json",
    "failure.json",
    "metrics.jsonl",
    "probes.jsonl",
    "recipe.yaml",
    "environment.json",
    "model.safetensors",
    "state.pt",
)


def place(root: Path, recipe: Recipe, identity: str, seed: int) -> Path:
    """Where the run of a recipe with a seed lies."""
    return root / recipe.name / identity / f"seed-{seed}"


def is_finished(path: Path) -> bool:
    """Whether a folder holds a finished run."""
    return (path / RESULT).is_file()


def failure_of(path: Path) -> str | None:
    """Why the run in a folder broke off; None if it is finished, or no error is known of."""
    if is_finished(path) or not (path / FAILURE).is_file():
        return None
    try:
        return str(json.loads((path / FAILURE).read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{FAILURE} cannot be read"


def note_failure(path: Path, error: str, trace: str = "") -> None:
    """Leave word in a run's folder of the error that ended it; the rest of the folder stays as it is."""
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / FAILURE, {"error": error, "trace": trace})


class RunFolder:
    """Writes one run's records as they come; watches a trainer and saves its state.

    resume: go on in the folder of an unfinished run; `state` is then what it saved last, or None if it saved nothing,
    in which case the run begins anew.
    Raises: RunError if the folder cannot be made, or a saved state cannot be read.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        self.state = _read_state(path / STATE) if resume and not is_finished(path) else None
        try:
            if self.state is None:
                move_aside(path)
                path.mkdir(parents=True)
            else:
                _cut(path / METRICS, self.state["step"])
                if (path / PROBES).exists():
                    _cut(path / PROBES, self.state["step"])
            self._metrics = (path / METRICS).open("a", encoding="utf-8")
            self._probes: TextIO | None = None  # made when something is probed
        except OSError as error:
            raise RunError(
                f"run folder {path} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{path / METRICS} — does not fit the saved state: {error} — expected the lines that the run wrote — "
                "train without --resume"
            ) from error

    def describe(self, recipe: Recipe, environment: Mapping[str, Any]) -> None:
        """Write the resolved recipe, with copies of its plug-ins beside it, and the environment; once for each run."""
        if self.state is not None:
            return
        values = recipe.plain()
        copies = [_copy(Path(plugin), self.path / "plugins") for plugin in recipe.plugins]
        values["plugins"] = [copy.relative_to(self.path).as_posix() for copy in copies]
        (self.path / RECIPE).write_text(text.write(values), encoding="utf-8")
        write_json(self.path / ENVIRONMENT, environment)

    def measured(self, row: Mapping[str, Any]) -> None:
        """Append one validation to metrics.jsonl."""
        self._metrics.write(json.dumps(finite(row)) + "\n")
        self._metrics.flush()

    def probed(self, row: Mapping[str, Any]) -> None:
        """Append one reading to probes.jsonl."""
        if self._probes is None:
            self._probes = (self.path / PROBES).open("a", encoding="utf-8")
        self._probes.write(json.dumps(finite(row)) + "\n")
        self._probes.flush()

    def save(self, state: Mapping[str, Any]) -> None:
        """Write what the run can be resumed from; the state before it stays until this one is whole."""
        draft = self.path / f"{STATE}.part"
        with draft.open("wb") as stream:
            torch.save(dict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self.path / STATE)

    def finish(self, weights: Mapping[str, Tensor], result: Mapping[str, Any]) -> None:
        """Write the weights, then the result: its presence means that all is there."""
        self.close()
        save_file(_distinct(weights), self.path / WEIGHTS)
        write_json(self.path / RESULT, result)
        (self.path / STATE).unlink(missing_ok=True)  # there is nothing left to resume

    def close(self) -> None:
        """Close what is open; for a run that is broken off."""
        self._metrics.close()
        if self._probes is not None:
            self._probes.close()


def _distinct(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights on the CPU; what several names share, under the first alone, as safetensors has no aliases."""
    found: dict[Any, tuple[str, Tensor]] = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        found.setdefault(place, (name, tensor))
    return {name: tensor.detach().cpu().contiguous() for name, tensor in found.values()}


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write JSON so that the file is either whole or not there."""
    draft = file.with_suffix(file.suffix + ".part")
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(finite(value), stream, indent=2, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def finite(value: Any) -> Any:
    """The value with NaN and infinities as null, which JSON has a word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _read_state(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RunError(
            f"{file} — cannot be read: {error} — expected the state that the run saved — train without --resume"
        ) from error


def _cut(metrics: Path, step: int) -> None:
    """Drop what was measured after the saved state; it will be measured again."""
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    draft = metrics.with_suffix(".part")
    draft.write_text("".join(kept), encoding="utf-8")
    draft.replace(metrics)


def move_aside(path: Path) -> None:
    """Give what is at a run's place a name of its own that says what it was; nothing happens if nothing is there."""
    if not path.exists():
        return
    kind = "previous" if is_finished(path) else "failed" if (path / FAILURE).exists() else "unfinished"
    number = 1
    while (aside := path.with_name(f"{path.name}.{kind}-{number}")).exists():
        number += 1
    path.rename(aside)


def _copy(file: Path, folder: Path) -> Path:
    """Copy a file under its own name, by which a plug-in is known; a second of that name gets a folder of its own."""
    place, number = folder, 1
    while (place / file.name).exists():
        number += 1
        place = folder / str(number)
    place.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(file, place / file.name))
