"""A finished run, read back."""

import os
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RecipeError, RunError
from zoo.recipe import text
from zoo.runs import folder
from zoo.runs.code import other_code
from zoo.runs.find import finished_below
from zoo.runs.record import check_result, check_row, parse_json
from zoo.runs.run_lock import holder
from zoo.system.files import expanded, sha256_of

if TYPE_CHECKING:
    import pandas as pd


class Result(dict[str, Any]):
    """All of a result.json; to ask for what it does not have is a RunError that names the file."""

    def __init__(self, file: Path, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._file = file

    def __missing__(self, key: str) -> Any:
        raise RunError(f"{self._file} — has no {key} — expected what the run wrote")


class Run:
    """A finished run: `run.test`, `run.metrics["val"]`, `run.probes`, `run.result`, `run.environment`, `run.path`."""

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
        return f"<Run {self.result['recipe']} seed {self.seed}: {self.metric} {self.test} on test, {self.path}>"

    @cached_property
    def result(self) -> dict[str, Any]:
        """All of result.json. Raises: RunError if it cannot be read, or is not what a run writes."""
        file = self.path / folder.RESULT
        value = self._json(folder.RESULT)
        try:
            check_result(value)
        except ValueError as error:
            raise RunError(
                f"{file} — is not what a run writes: {error} — expected the file that the run wrote"
            ) from error
        return Result(file, value)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """All of environment.json."""
        return self._json(folder.ENVIRONMENT)

    @property
    def other_code(self) -> str | None:
        """Which other code of the zoo computed it, in words; None if the code that runs now did."""
        return other_code(self.environment)

    @cached_property
    def metrics(self) -> "pd.DataFrame":
        """One row per validation, one column per quantity: epoch, step, loss, val, best_val, lr, seconds."""
        import pandas as pd

        return pd.DataFrame(self._lines(folder.METRICS, "step", "epoch"))

    @cached_property
    def probes(self) -> list[dict[str, Any]]:
        """What the probes measured: step, epoch and quantities by name, one entry for each measured step.

        A quantity is a number or a list with one for each block, first block first; None stands for what is not finite.
        Empty if the run measured nothing.
        """
        return self._lines(folder.PROBES, "step", "epoch") if (self.path / folder.PROBES).exists() else []

    @property
    def weights(self) -> Path:
        """The file of the weights that validated best, as the run wrote them.

        Raises: RunError if it cannot be read, or has another digest than the run noted; older runs noted none.
        """
        file, noted = self.path / folder.WEIGHTS, self.result.get("weights")
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
        return self.result["metric"]

    @property
    def val(self) -> float | None:
        """The best validation."""
        return self.result["val"]

    @property
    def test(self) -> float | None:
        """The test metric at the best validation."""
        return self.result["test"]

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.result["seed"]

    @property
    def status(self) -> str:
        """finished, stopped early, or non-finite."""
        return self.result["status"]

    @property
    def changes(self) -> list[str]:
        """What was changed of the recipe, as typed; none of a run from before that was recorded."""
        return self.result.get("changes", [])

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
        try:
            return text.read(self.path / folder.RECIPE)
        except RecipeError as error:
            raise RunError(f"{error} — expected the recipe that the run wrote") from error

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

    def _json(self, name: str) -> dict[str, Any]:
        file = self.path / name
        try:
            value = parse_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{file} — cannot be read: {error} — expected the JSON that the run wrote") from error
        if not isinstance(value, dict):
            raise RunError(f"{file} — not a JSON object — expected what the run wrote")
        return value
