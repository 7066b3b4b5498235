"""What a metric is: one interface for predictions of labels, one for scores of links."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

# classes: int64 [n], one of several classes · binary: float [n, tasks], 0, 1 or NaN where unknown · values: float
# [n, tasks], NaN where unknown
Kind = Literal["classes", "binary", "values"]


class Metric(ABC):
    """A number that says how good predictions are; NaN where it cannot be told.

    name: as records and tables write it. higher_is_better: its direction. range: the least and the greatest value that
    it can have, which no interval of it goes beyond. by: whose code computes it.
    """

    name: str
    higher_is_better: bool = True
    range: tuple[float, float] = (-math.inf, math.inf)
    by: str = "zoo"


class LabelMetric(Metric):
    """Of outputs of a network against labels, one of each for every node or graph.

    kinds: the kinds of labels that it is defined for.
    """

    kinds: ClassVar[tuple[Kind, ...]]

    @classmethod
    def defined_for(cls, kind: Kind, classes: int) -> bool:
        """Whether it is defined for labels of this kind; `classes` says how many classes, or labels each, there are."""
        return kind in cls.kinds

    def undefined(self, labels: Tensor) -> str | None:
        """Why it cannot be told for these labels whatever is predicted, to follow their name; None if it can."""
        return None if len(labels) else "there are none"

    @abstractmethod
    def score(self, outputs: Tensor, labels: Tensor) -> float:
        """outputs: float [n, classes], logits, or [n, tasks]; labels: int64 [n], or float [n, tasks]."""

    @abstractmethod
    def chance(self, labels: Tensor) -> float:
        """What the best guess scores that knows the labels' frequencies and nothing else."""


class LinkMetric(Metric):
    """Of the scores of links that are there against those of links that are not."""

    @abstractmethod
    def score(self, positive: Tensor, negative: Tensor) -> float:
        """positive: float [links]; negative: float [others], shared by all links, or [links, others], each its own."""

    @abstractmethod
    def chance(self, links: int, others: int) -> float:
        """What scores drawn at random have on average, with so many links and so many others (of each link)."""
