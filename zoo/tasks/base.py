"""What the trainer needs to know of a task; it never asks for a task's or a data set's name."""

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

    def better(self, score: float, than: float) -> bool:
        """Whether a score is a strict improvement."""
        return score > than if self.higher_is_better else score < than
