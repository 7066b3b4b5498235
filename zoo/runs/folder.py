"""A run's folder: everything about it, as text, and its best weights.

    runs/<recipe>/<identity>/seed-<s>/
        recipe.yaml        resolved, runs again by itself
        environment.json   versions, device, data facts, every automatic choice with its reason
        metrics.jsonl      one line per validation
        model.safetensors  the weights that validated best
        result.json        written last and whole: without it the run is not finished

Nothing is deleted or overwritten: what is in the way is moved aside, under a name that says what it was.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from zoo.errors import RunError
from zoo.recipe import text
from zoo.recipe.schema import Recipe

RESULT, METRICS, RECIPE, ENVIRONMENT, WEIGHTS = (
    "result.json",
    "metrics.jsonl",
    "recipe.yaml",
    "environment.json",
    "model.safetensors",
)


def place(root: Path, recipe: Recipe, identity: str, seed: int) -> Path:
    """Where the run of a recipe with a seed lies."""
    return root / recipe.name / identity / f"seed-{seed}"


def is_finished(path: Path) -> bool:
    """Whether a folder holds a finished run."""
    return (path / RESULT).is_file()


class RunFolder:
    """Writes one run's records as they come; watches a trainer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _move_aside(path)
            path.mkdir(parents=True)
            self._metrics = (path / METRICS).open("a", encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"run folder {path} — cannot be made: {error.strerror} — expected a folder to write to (--runs DIR)"
            ) from error

    def describe(self, recipe: Recipe, environment: Mapping[str, Any]) -> None:
        """Write the resolved recipe, with copies of its plug-ins beside it, and the environment."""
        values = recipe.plain()
        copies = [_copy(Path(plugin), self.path / "plugins") for plugin in recipe.plugins]
        values["plugins"] = [copy.relative_to(self.path).as_posix() for copy in copies]
        (self.path / RECIPE).write_text(text.write(values), encoding="utf-8")
        write_json(self.path / ENVIRONMENT, environment)

    def measured(self, row: Mapping[str, Any]) -> None:
        """Append one validation to metrics.jsonl."""
        self._metrics.write(json.dumps(finite(row)) + "\n")
        self._metrics.flush()

    def finish(self, weights: Mapping[str, Tensor], result: Mapping[str, Any]) -> None:
        """Write the weights, then the result: its presence means that all is there."""
        self._metrics.close()
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, self.path / WEIGHTS)
        write_json(self.path / RESULT, result)

    def close(self) -> None:
        """Close what is open; for a run that is broken off."""
        self._metrics.close()


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


def _move_aside(path: Path) -> None:
    if not path.exists():
        return
    kind = "previous" if is_finished(path) else "unfinished"
    number = 1
    while (aside := path.with_name(f"{path.name}.{kind}-{number}")).exists():
        number += 1
    path.rename(aside)


def _copy(file: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return Path(shutil.copyfile(file, folder / file.name))
