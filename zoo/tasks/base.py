"""What the trainer needs to know of a task; it never asks for a task's or a data set's name."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.contracts import returned
from zoo.graph_like import NetworkGraph
from zoo.graphs.graph import Graph
from zoo.layers.embedding import Inputs
from zoo.layers.network import Network

Part = Literal["train", "val", "test"]
Batch = Any


@dataclass(frozen=True)
class Prediction:
    """What a network says of a part, with the truth, as arrays for a file; all on the CPU.

    arrays: by name, first dimension the node, graph or link. score: the metric of the part.
    """

    arrays: dict[str, Tensor]
    score: float


def outputs_of(network: nn.Module, graph: NetworkGraph, x: Tensor, shape: tuple[int, int | None]) -> Tensor:
    """network(graph, x). Raises: ComponentError unless it is floats of that shape."""
    outputs = network(graph, x)
    return returned("model", network, outputs, shape, x, "[rows, out_width]", any_float=True)


class Task(ABC):
    """Owns the loss, the metric and its direction, the graphs, and the batches.

    Built as `Task(data, split, setting, *, options)`. graph: the one that is trained on, or the first batch's: what
    initialisers and records look at. metric_by: whose code computes it. metric_range: its least and greatest value.
    inputs: what a network is given of each node. out_width: what it returns.
    """

    metric: str
    metric_reason: str
    metric_by: str = "zoo"
    metric_range: tuple[float, float] = (-math.inf, math.inf)
    higher_is_better: bool
    inputs: Inputs
    out_width: int
    graph: Graph

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Optimiser steps that make one pass over the training part."""

    @abstractmethod
    def to(self, device: torch.device) -> "Task":
        """Move the task's tensors to the device, and return it."""

    def complete(self, network: Network) -> None:  # noqa: B027 - most tasks need nothing
        """Give the network what this task needs at its ends (pooling, decoder); called once, before it is trained."""

    @abstractmethod
    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The training batches of an epoch, counted from 0, from batch `start` on.

        They depend on the seed, the epoch and the place of a batch alone, so that a training can go on at any step.
        """

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The scalar to be minimised."""

    @abstractmethod
    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """The returned function gives the metric of a part; the network is not changed in between."""

    @abstractmethod
    def predict(self, network: nn.Module, part: Part) -> Prediction:
        """What the network says of a part, for a file."""

    @abstractmethod
    def chance(self, part: Part) -> float:
        """The metric of a part that the best guess without looking at the graph or the features has."""

    @property
    def whole(self) -> tuple[Graph, Tensor] | None:
        """Graph and features of the one forward pass that every step and every score is made of, `network(*whole)`.

        Each epoch is then one step, on the same batch. None, the default, where that is not so, as for samples.
        """
        return None

    @property
    def choices(self) -> list[tuple[str, str, str]]:
        """What the task chose of itself, for the record: what, chosen, why."""
        return []

    @property
    def nodes_per_step(self) -> int:
        """About how many nodes a training step computes on; the number of threads is chosen by it."""
        return self.graph.nodes

    @property
    def perfect(self) -> float:
        """The best that the metric can be."""
        return 1.0 if self.higher_is_better else 0.0

    def skill(self, score: float, part: Part) -> float | None:
        """How far a score has come from chance (0) to perfection (1); 0 where it is not a number.

        None where chance is perfect, as with one class, or not known: there is nothing to learn.
        """
        chance = self.chance(part)
        if chance == self.perfect or math.isnan(chance):
            return None
        return 0.0 if math.isnan(score) else (score - chance) / (self.perfect - chance)

    def better(self, score: float, than: float) -> bool:
        """Whether a score is a strict improvement."""
        return score > than if self.higher_is_better else score < than
