"""Interfaces of metrics: one for predictions of labels, one for scores of links."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from zoo.contracts import broken, number
from zoo.datasets.base import LabelKind

NAN = math.nan


class Metric(ABC):
    """A number that measures how good predictions are; NaN where it is not defined.

    name: as records and tables write it. higher_is_better: its direction. range: the least and the greatest value that
    it can have, which no interval of it goes beyond. by: whose code computes it.
    """

    name: str
    higher_is_better: bool = True
    range: tuple[float, float] = (-math.inf, math.inf)
    by: str = "zoo"


class LabelMetric(Metric):
    """A metric of a network's outputs against labels, one of each for every node or graph.

    kinds: the kinds of labels that it is defined for.
    """

    kinds: ClassVar[tuple[LabelKind, ...]]

    @classmethod
    def defined_for(cls, kind: LabelKind, classes: int) -> bool:
        """Return true if it is defined for labels of this kind. classes: their number, or that of labels each."""
        return kind in cls.kinds

    def undefined(self, labels: Tensor) -> str | None:
        """Return why it is not defined for these labels whatever is predicted, to follow their name; None if it is."""
        return None if len(labels) else "there are none"

    @abstractmethod
    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """outputs: float [n, classes], logits, or [n, tasks]; labels: int64 [n], or float [n, tasks]."""

    @abstractmethod
    def chance(self, labels: Tensor) -> float:
        """Return the score of the best guess that knows the labels' frequencies and nothing else."""


class LinkMetric(Metric):
    """A metric of the scores of links that exist against those of links that do not."""

    @abstractmethod
    def score(self, positive: Tensor, negative: Tensor) -> float:
        """positive: float [links]; negative: float [others], shared by all links, or [links, others], each its own."""

    @abstractmethod
    def chance(self, links: int, others: int) -> float:
        """Return the mean for scores drawn at random, with so many links and so many others (of each link)."""


def label_score(metric: LabelMetric, outputs: Tensor, labels: Tensor) -> float:
    """Return the score as a float. Raises: ComponentError for no number, and for NaN where the metric is defined."""
    score = number("metric", metric, metric.score(outputs, labels), "its score")
    if math.isnan(score) and metric.undefined(labels) is None and bool(torch.isfinite(outputs).all()):
        broken("metric", metric, "its score is NaN", "a number, or a reason from `undefined(labels)`")
    return score


def link_score(metric: LinkMetric, positive: Tensor, negative: Tensor) -> float:
    """Return the score as a float. Raises: ComponentError for no number, and for NaN of pairs with finite scores."""
    score = number("metric", metric, metric.score(positive, negative), "its score")
    told = positive.numel() and negative.numel()
    if math.isnan(score) and told and bool(torch.isfinite(positive).all()) and bool(torch.isfinite(negative).all()):
        broken("metric", metric, "its score is NaN", "a number")
    return score
