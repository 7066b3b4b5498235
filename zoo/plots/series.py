"""Quantities over a run as arrays, from which every picture is drawn."""

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
        """Return the times of the measurements, [measured]."""
        return self.epochs if clock == "epoch" else self.steps

    def time_of(self, step: int, clock: Clock) -> float:
        """Return the time of a step, interpolated between the measured ones and within their span."""
        return float(np.interp(step, self.steps, self.times(clock)))

    def at(self, step: int) -> np.ndarray | None:
        """Return the values [blocks] at a step, or None if it was not measured there."""
        rows = np.flatnonzero(self.steps == step)
        return self.values[rows[-1]] if len(rows) else None


def series(rows: Sequence[Mapping[str, Any]], name: str) -> Series | None:
    """Return a quantity of the record, or None if it was never measured or never finite."""
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
    """Return a quantity in the first subspace that it was measured in, with its name; "plain" comes first."""
    for subspace in SUBSPACES:
        if found := series(rows, f"{quantity}.{subspace}"):
            return subspace, found
    return None


def clock_of(*drawn: Series | None) -> Clock:
    """Return "epoch", or "step" if something was measured twice in one epoch, so that no two points coincide."""
    return "epoch" if all((np.diff(item.epochs) > 0).all() for item in drawn if item) else "step"
