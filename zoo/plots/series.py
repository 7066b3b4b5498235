"""One quantity over a run, as arrays: what every picture is drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

SUBSPACES = ("plain", "limit", "degree")

Clock = Literal["epoch", "step"]


@dataclass(frozen=True)
class Series:
    """A quantity at the steps where it was measured; NaN where it was not finite.

    steps, epochs: [measured]. values: [measured, blocks], first block first; one column for a quantity that is a single
    number.
    """

    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray

    def times(self, clock: Clock) -> np.ndarray:
        """When it was measured, [measured]."""
        return self.epochs if clock == "epoch" else self.steps

    def time_of(self, step: int, clock: Clock) -> float:
        """When a step was, between the measured ones in proportion; within the measured span."""
        return float(np.interp(step, self.steps, self.times(clock)))

    def at(self, step: int) -> np.ndarray | None:
        """The values [blocks] at a step, or None if it was not measured there."""
        rows = np.flatnonzero(self.steps == step)
        return self.values[rows[-1]] if len(rows) else None


def series(rows: Sequence[Mapping[str, Any]], name: str) -> Series | None:
    """A quantity of the record, or None if it was never measured or never finite."""
    measured = [row for row in rows if name in row]
    cells = [row[name] if isinstance(row[name], list) else [row[name]] for row in measured]
    values = np.full((len(cells), max(map(len, cells), default=0)), np.nan)
    for row, cell in zip(values, cells, strict=True):
        row[: len(cell)] = [np.nan if number is None else number for number in cell]
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        return None
    steps, epochs = (np.array([row[key] for row in measured], dtype=int) for key in ("step", "epoch"))
    return Series(steps, epochs, values)


def preferred(rows: Sequence[Mapping[str, Any]], quantity: str) -> tuple[str, Series] | None:
    """A quantity in the first subspace that it was measured in, with the name of the subspace; "plain" comes first."""
    for subspace in SUBSPACES:
        if found := series(rows, f"{quantity}.{subspace}"):
            return subspace, found
    return None


def clock_of(*drawn: Series | None) -> Clock:
    """Epochs, unless something was measured several times in one: then steps, so that no two points coincide."""
    return "epoch" if all((np.diff(item.epochs) > 0).all() for item in drawn if item) else "step"
