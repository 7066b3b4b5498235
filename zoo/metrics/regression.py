"""Metrics of numbers that are predicted."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from zoo.datasets.base import LabelKind
from zoo.metrics.base import NAN, LabelMetric


class MeanError(LabelMetric):
    """The mean over labels (columns) of an error over the nodes or graphs where each is known (not NaN)."""

    higher_is_better = False
    range = (0.0, math.inf)
    kinds: ClassVar[tuple[LabelKind, ...]] = ("values",)

    @abstractmethod
    def error(self, off: Tensor) -> Tensor:
        """Return the error, a scalar, of differences off [n], float64."""

    @abstractmethod
    def guess(self, known: Tensor) -> Tensor:
        """Return the one number that has the least error against known [n]."""

    def undefined(self, labels: Tensor) -> str | None:
        """Return a reason unless a label is known."""
        return "none is known" if bool(labels.isnan().all()) else None

    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """NaN where an output is not finite, or no label is known; else as above, in float64."""
        if not torch.isfinite(outputs).all():
            return NAN
        return self._mean((outputs.double() - labels.double()).T)

    def chance(self, labels: Tensor) -> float:
        """The error of predicting the same number for all, the best there is."""
        columns = [column[~column.isnan()] for column in labels.double().T]
        return self._mean([column - self.guess(column) for column in columns if len(column)])

    def _mean(self, differences: Tensor | list[Tensor]) -> float:
        known = [off[~off.isnan()] for off in differences]
        errors = [float(self.error(off)) for off in known if len(off)]
        return sum(errors) / len(errors) if errors else NAN


class RMSE(MeanError):
    """Root of the mean squared error; of several labels the mean of their roots, unknown ones (NaN) left out."""

    name = "rmse"

    def error(self, off: Tensor) -> Tensor:
        """Return sqrt(mean(off²))."""
        return off.square().mean().sqrt()

    def guess(self, known: Tensor) -> Tensor:
        """Return the mean."""
        return known.mean()


class MAE(MeanError):
    """Mean absolute error; of several labels the mean of theirs, unknown ones (NaN) left out."""

    name = "mae"

    def error(self, off: Tensor) -> Tensor:
        """Return mean(|off|)."""
        return off.abs().mean()

    def guess(self, known: Tensor) -> Tensor:
        """Return the median."""
        return known.median()
