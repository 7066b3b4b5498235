"""A finished run, read back."""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RecipeError, RunError
from zoo.recipe import text
from zoo.runs import folder

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """A finished run: `run.test`, `run.metrics["val"]`, `run.probes`, `run.result`, `run.environment`, `run.path`."""

    def __init__(self, path: str | Path) -> None:
        """Open a run folder. Raises: RunError if it holds no finished run."""
        self.path = Path(path)
        if not folder.is_finished(self.path):
            state = (
                "the run in it is not finished" if (self.path / folder.RECIPE).is_file() else "there is no run in it"
            )
            near = sorted(str(file.parent) for file in self.path.glob(f"**/{folder.RESULT}"))[:3]
            hint = f" — finished runs below it: {', '.join(near)}" if near else ""
            raise RunError(f"run folder {self.path} — {state} — expected a folder with {folder.RESULT}{hint}")

    def __repr__(self) -> str:
        return f"<Run {self.result['recipe']} seed {self.seed}: {self.metric} {self.test} on test, {self.path}>"

    @cached_property
    def result(self) -> dict[str, Any]:
        """All of result.json."""
        return self._json(folder.RESULT)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """All of environment.json."""
        return self._json(folder.ENVIRONMENT)

    @cached_property
    def metrics(self) -> "pd.DataFrame":
        """One row per validation, one column per quantity: epoch, step, loss, val, best_val, lr, seconds."""
        import pandas as pd

        return pd.DataFrame(self._lines(folder.METRICS))

    @cached_property
    def probes(self) -> list[dict[str, Any]]:
        """What the probes measured: step, epoch and quantities by name, one entry for each measured step.

        A quantity is a number or a list with one for each block, first block first; None stands for what is not finite.
        Empty if the run measured nothing.
        """
        return self._lines(folder.PROBES, "step", "epoch") if (self.path / folder.PROBES).exists() else []

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

    @cached_property
    def normalizers(self) -> list[dict[str, Any]]:
        """The normalisers of the recipe, each with its name and options."""
        file = self.path / folder.RECIPE
        try:
            written = text.read(file).get("normalizer")
        except RecipeError as error:
            raise RunError(f"{error} — expected the recipe that the run wrote") from error
        normalizers: list[Any] = written if isinstance(written, list) else [written]
        if not all(isinstance(item, dict) and "name" in item for item in normalizers):
            raise RunError(f"{file} — has no normalizer — expected the recipe that the run wrote")
        return normalizers

    def _lines(self, name: str, *required: str) -> list[dict[str, Any]]:
        """The objects in a file with one a line; each has to have whole numbers under the required names."""
        file = self.path / name
        try:
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            if not all(isinstance(row, dict) for row in rows):
                raise ValueError("a line is no object")
            if not all(type(row.get(key)) is int for row in rows for key in required):
                raise ValueError(f"a line is without {' or '.join(required)}")
        except (OSError, ValueError) as error:
            raise RunError(f"{file} — cannot be read: {error} — expected one JSON object a line") from error
        return rows

    def _json(self, name: str) -> dict[str, Any]:
        file = self.path / name
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{file} — cannot be read: {error} — expected the JSON that the run wrote") from error
        if not isinstance(value, dict):
            raise RunError(f"{file} — not a JSON object — expected what the run wrote")
        return value
