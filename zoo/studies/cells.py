"""What a study or a comparison found: one cell for each thing compared, one score for each of its runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard


@dataclass(frozen=True)
class Score:
    """One run: its seed, the number of its split if that is fixed apart from the seed, and its figures.

    test, val: the metric at the best validation; None where there is no finite figure. status: as the run ended.
    """

    seed: int
    split: int | None
    test: float | None
    val: float | None
    status: str
    path: str

    @property
    def key(self) -> tuple[int, int]:
        """(split, seed): runs of two cells with equal keys saw the same data and draws, and make a pair."""
        return -1 if self.split is None else self.split, self.seed

    @property
    def run(self) -> str:
        """The key as text: `split/seed`, or the seed alone."""
        return str(self.seed) if self.split is None else f"{self.split}/{self.seed}"


@dataclass(frozen=True)
class EvaluationSetting:
    """What must be equal for figures to stand in one column or be compared.

    selection: how the figure was chosen, e.g. "test at best validation". task: the name of what was learned, as figures
    of nodes, links and graphs are of different things even where metric and data set have one name. range: the least
    and the greatest value of the metric, None where there is none.
    """

    dataset: str
    split: str
    metric: str
    higher_is_better: bool
    selection: str
    task: str = "nodes"
    range: tuple[float | None, float | None] = field(default=(None, None), compare=False)

    def __str__(self) -> str:
        return f"{self.metric} of {self.task} on {self.dataset}, split {self.split}, {self.selection}"


@dataclass(frozen=True)
class Cell:
    """One thing compared: its place on every axis (in the order of the study) and the scores of its runs.

    ground: None while no run is finished. scores: sorted by split and seed. failed: runs that an error ended.
    missing: runs not finished yet.
    """

    axes: Mapping[str, str]
    ground: EvaluationSetting | None
    scores: tuple[Score, ...]
    failed: int = 0
    missing: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{axis}={label}" for axis, label in self.axes.items()) or "the only cell"

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The least and the greatest value that a figure can have, None where there is none."""
        return self.ground.range if self.ground else (None, None)

    @property
    def tests(self) -> tuple[float, ...]:
        """The finite test figures."""
        return tuple(score.test for score in self.scores if is_figure(score.test))

    @property
    def vals(self) -> tuple[float, ...]:
        """The finite validation figures."""
        return tuple(score.val for score in self.scores if is_figure(score.val))

    @property
    def runs(self) -> int:
        """All runs that the cell was to have."""
        return len(self.scores) + self.failed + self.missing

    @property
    def shortfall(self) -> str:
        """What became of the other runs: `1 without a figure, 1 failed, 2 not finished`; empty if there are none."""
        counts = {
            "without a figure": len(self.scores) - len(self.tests),
            "failed": self.failed,
            "not finished": self.missing,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def is_figure(value: float | None) -> TypeGuard[float]:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)
