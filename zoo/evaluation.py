"""A finished run scored again from its weights, with its predictions."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zoo.api import reopen
from zoo.errors import RunError
from zoo.plugin_errors import told_as_the_plugins
from zoo.recipe.load import Plugins
from zoo.runs.predictions import Form, write_predictions
from zoo.runs.run import Run
from zoo.system.files import expanded
from zoo.system.process import prepare_process
from zoo.tasks.base import Part
from zoo.training.memory_errors import enough_memory

PARTS: tuple[Part, ...] = ("train", "val", "test")
# Sums in another order, on another device or with other threads, change a figure less than this.
RELATIVE, ABSOLUTE = 1e-5, 1e-6


@dataclass(frozen=True)
class Evaluation:
    """The figure of a part, whose code computed it, and the predictions.

    score: NaN where there is none. recorded: what result.json has, None where it has no number. arrays: by name, the
    first dimension the node, link or graph; see the `predict` of the run's task.
    """

    run: Run
    part: Part
    metric: str
    by: str
    score: float
    recorded: float | None
    arrays: dict[str, np.ndarray]

    @property
    def difference(self) -> float:
        """The figure less the recorded one; 0 where neither is a number, NaN where one is."""
        recorded = math.nan if self.recorded is None else self.recorded
        return 0.0 if math.isnan(self.score) and math.isnan(recorded) else self.score - recorded

    @property
    def agrees(self) -> bool:
        """True if the figure is the recorded one, but for the order of sums, or if the run never validated."""
        if self.recorded is None and self.run.val is None:
            return True  # the weights are the last ones, which nobody scored
        return abs(self.difference) <= ABSOLUTE + RELATIVE * abs(self.recorded or 0.0)

    def place(self, form: Form = "npz") -> Path:
        """Return the file that `save` writes: `predictions-<part>.<form>` in the run's folder."""
        return self.run.path / f"predictions-{self.part}.{form}"

    def save(self, file: str | Path | None = None, *, form: Form = "npz") -> Path | None:
        """Write the predictions; see `write_predictions`. Returns where another file that was there has gone.

        The npz has besides the task's arrays `recipe`, `identity`, `seed`, `part`, `metric`, `metric_by` and
        `metric_value`.
        """
        record = self.run.record
        about = {"recipe": record.recipe, "identity": record.identity, "seed": record.seed}
        about |= {"part": self.part, "metric": self.metric, "metric_by": self.by, "metric_value": self.score}
        return write_predictions(self.place(form) if file is None else expanded(file), self.arrays, about, form)


@told_as_the_plugins()
def evaluate(
    run: str | Path | Run,
    split: str = "test",
    *,
    device: str = "cpu",
    plugins: Plugins = (),
    allow_plugins: bool = False,
) -> Evaluation:
    """Score a finished run's network, with the weights that validated best, on one part of its data.

        found = zoo.evaluate(run)
        found.score, found.by, found.arrays["output"]
        found.save()  # predictions-test.npz in the run's folder

    split: train, val or test. The metric is the task's: for a data set whose authors publish their code, as OGB does,
    that code. The run folder is only read. plugins, allow_plugins: as for `zoo.load`.
    Raises: RunError if the folder holds no finished run, or for another part; DataError, BuildError as `build`.
    """
    finished = run if isinstance(run, Run) else Run(run)
    part: Part | None = next((part for part in PARTS if part == split), None)
    if part is None:
        raise RunError(f"evaluate {finished.path} — no part {split!r} — expected one of: {', '.join(PARTS)}")
    built = reopen(finished, device, plugins, allow_plugins=allow_plugins)
    with (
        prepare_process(built.process),
        enough_memory(f"evaluating {finished.path}", built.recipe, built.network, built.task, trains=False),
        torch.no_grad(),
    ):
        found = built.task.predict(built.network.eval(), part)
    return Evaluation(
        run=finished,
        part=part,
        metric=built.task.metric,
        by=built.task.metric_by,
        score=found.score,
        recorded=finished.record.scores[part],
        arrays={name: array.numpy() for name, array in found.arrays.items()},
    )
