"""What the trainer needs to know of a task; it never asks for a task's or a data set's name."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

Part = Literal["train", "val", "test"]
Batch = Any


class Task(ABC):
    """Owns the loss, the metric and its direction, and the batches."""

    metric: str
    metric_reason: str
    higher_is_better: bool
    in_width: int
    out_width: int

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Optimiser steps that make one pass over the training part."""

    @abstractmethod
    def to(self, device: torch.device) -> "Task":
        """Move the task's tensors to the device, and return it."""

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """The training batches of one epoch."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The scalar to be minimised."""

    @abstractmethod
    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Predict once; the returned function gives the metric of a part from that prediction."""

    @abstractmethod
    def chance(self, part: Part) -> float:
        """The metric of a part that the best guess without looking at the graph or the features has."""

    @property
    def perfect(self) -> float:
        """The best that the metric can be."""
        return 1.0 if self.higher_is_better else 0.0

    def skill(self, score: float, part: Part) -> float:
        """How far a score has come from chance (0) to perfection (1); 0 where it is not a number."""
        chance = self.chance(part)
        return 0.0 if math.isnan(score) or chance == self.perfect else (score - chance) / (self.perfect - chance)

    def better(self, score: float, than: float) -> bool:
        """Whether a score is a strict improvement."""
        return score > than if self.higher_is_better else score < than
