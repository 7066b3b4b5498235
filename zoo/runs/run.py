"""Finished runs, read back, and found below folders."""

import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError
from zoo.recipe.values import as_list
from zoo.runs import folder
from zoo.runs.code import other_code
from zoo.runs.jsonl import check_row, parse_json
from zoo.runs.record import ENVIRONMENT, RunRecord, read_json, read_recipe, read_record
from zoo.runs.run_lock import holder
from zoo.system.files import expanded, sha256_of

if TYPE_CHECKING:
    import pandas as pd


_ASIDE = re.compile(r"\.(previous|unfinished|failed)-\d+$")


class Run:
    """A finished run: `run.test`, `run.metrics["val"]`, `run.probes`, `run.record`, `run.path`.

    `run.result` and `run.environment` are the files of the record as they lie on the disk.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a run folder. Raises: RunError if it holds no finished run."""
        self.path = expanded(path)
        if not folder.is_finished(self.path):
            begun = os.path.isfile(self.path / folder.RECIPE)  # noqa: PTH113 (Path.is_file raises where it may not look)
            state = "the run in it is not finished" if begun else "there is no run in it"
            if trained_by := holder(self.path):
                state = f"the run in it is being trained, by {trained_by}"
            near = sorted(map(str, finished_below(self.path)))[:3]
            hint = f" — finished runs below it: {', '.join(near)}" if near else ""
            raise RunError(f"run folder {self.path} — {state} — expected a folder with {folder.RESULT}{hint}")

    def __repr__(self) -> str:
        return f"<Run {self.record.recipe} seed {self.seed}: {self.metric} {self.test} on test, {self.path}>"

    @cached_property
    def record(self) -> RunRecord:
        """The record of the run. Raises: RunError if it cannot be read, or is not what a run writes."""
        return read_record(self.path)

    @cached_property
    def result(self) -> dict[str, Any]:
        """All of result.json."""
        return read_json(self.path / folder.RESULT)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """All of environment.json."""
        return read_json(self.path / ENVIRONMENT)

    @property
    def other_code(self) -> str | None:
        """The other code of the zoo that computed it, in words; None if the code that runs now did."""
        return other_code(self.record.environment)

    @cached_property
    def metrics(self) -> "pd.DataFrame":
        """One row per validation, one column per quantity: epoch, step, loss, val, best_val, lr, seconds."""
        import pandas as pd

        return pd.DataFrame(self._lines(folder.METRICS, "step", "epoch"))

    @cached_property
    def probes(self) -> list[dict[str, Any]]:
        """Measurements of the probes: step, epoch and quantities by name, one entry for each measured step.

        A quantity is a number or a list with one for each block, first block first; None stands for what is not finite.
        Empty if the run measured nothing.
        """
        return self._lines(folder.PROBES, "step", "epoch") if (self.path / folder.PROBES).exists() else []

    @property
    def weights(self) -> Path:
        """The file of the weights that validated best, as the run wrote them.

        Raises: RunError if it cannot be read, or has another digest than the run noted; older runs noted none.
        """
        file, noted = self.path / folder.WEIGHTS, self.record.weights
        try:
            found = sha256_of(file)
        except OSError as error:
            raise RunError(
                f"{file} — cannot be read: {error.strerror} — expected the weights that the run wrote"
            ) from error
        if noted is not None and found != noted:
            raise RunError(f"{file} — has changed: digest {found} — expected {noted}, the weights that the run wrote")
        return file

    @property
    def metric(self) -> str:
        """The name of the metric that val and test are in."""
        return self.record.metric

    @property
    def val(self) -> float | None:
        """The best validation."""
        return self.record.val

    @property
    def test(self) -> float | None:
        """The test metric at the best validation."""
        return self.record.test

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.record.seed

    @property
    def status(self) -> str:
        """finished, stopped early, or non-finite."""
        return self.record.status

    @property
    def changes(self) -> tuple[str, ...]:
        """The changes to the recipe, as typed; none of a run from before they were recorded."""
        return self.record.changes

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return self._components("dataset")[0]["name"]

    @cached_property
    def normalizers(self) -> list[dict[str, Any]]:
        """The normalisers of the recipe, each with its name and options."""
        return self._components("normalizer")

    @cached_property
    def _recipe(self) -> dict[str, Any]:
        return read_recipe(self.path)

    def _components(self, field: str) -> list[dict[str, Any]]:
        """The component in a field of the recipe, or the several that it lists."""
        written = self._recipe.get(field)
        several: list[Any] = written if isinstance(written, list) else [written]
        if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in several):
            file = self.path / folder.RECIPE
            raise RunError(f"{file} — has no {field} with a name — expected the recipe that the run wrote")
        return several

    def _lines(self, name: str, *required: str) -> list[dict[str, Any]]:
        """The objects in a file with one a line, in the order of the steps.

        Each has to have whole numbers under the required names, of which the first may not go down.
        """
        file = self.path / name
        try:
            rows = [parse_json(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
            for row in rows:
                check_row(row, *required)
            if any(row[required[0]] > after[required[0]] for row, after in pairwise(rows)):
                raise ValueError(f"its lines are not in the order of {required[0]}")
        except (OSError, ValueError) as error:
            raise RunError(f"{file} — cannot be read: {error} — expected one JSON object a line") from error
        return rows


def find(paths: Sequence[str | Path], verb: str) -> Iterator[Path]:
    """The folders of finished runs, each once.

    paths: run folders, or folders above some; runs that were moved aside are passed over unless named themselves.
    verb: who asks, for the message. Raises: RunError if there is no finished run in or below one of the paths.
    """
    seen: set[Path] = set()
    for given in map(expanded, as_list(paths)):
        if folder.is_finished(given):
            below = [given]
        else:
            below = sorted(finished_below(given), key=_natural)
            below = [path for path in below if not any(map(_ASIDE.search, path.relative_to(given).parts))]
        if not below:
            raise RunError(
                f"{verb} {given} — no finished run in it or below — expected run folders, or folders above some "
                f"(a finished run has a {folder.RESULT})"
            )
        for path in below:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def finished_below(path: Path) -> list[Path]:
    """The folders of finished runs in or below one, in no order; one that is moved or arrives meanwhile is no error."""
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]  # what is not whole yet
        if folder.RESULT in files:
            found.append(Path(place))
    return found


def _natural(path: Path) -> list[str | int]:
    """Sorts seed-2 before seed-10."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", str(path)))]
