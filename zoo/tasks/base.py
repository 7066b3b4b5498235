"""The interface of a task to the trainer, which never asks for a task's or a data set's name."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from registry import tasks
from registry.owners import described
from zoo.contracts import returned
from zoo.datasets.base import Data
from zoo.errors import BuildError
from zoo.graph_like import NetworkGraph
from zoo.graphs.graph import Graph
from zoo.layers.embedding import Inputs
from zoo.layers.network import Network
from zoo.metrics.base import Metric

Part = Literal["train", "val", "test"]
Batch = Any
Note = tuple[str, str, str]


@dataclass(frozen=True)
class Prediction:
    """Outputs of a network for a part, with the truth, as arrays for a file; all on the CPU.

    arrays: by name, first dimension the node, graph or link. score: the metric of the part.
    """

    arrays: dict[str, Tensor]
    score: float


class Task(ABC):
    """Owns the loss, the metric and its direction, the graphs, and the batches.

    Built as `Task(data, split, setting, *, options)`. takes: the kinds of data set that it is for, each with what a
    recipe has to say besides, as `{NodeData: ""}`. graph: the one that is trained on, or the first batch's: what
    initialisers and records look at. metric_by: whose code computes it. metric_range: its least and greatest value.
    inputs: what a network is given of each node. out_width: what it returns.
    """

    takes: ClassVar[Mapping[type[Data], str]] = {}
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
        """Yield the training batches of an epoch, counted from 0, from batch `start` on.

        They depend on the seed, the epoch and the place of a batch alone, so that a training can resume at any step.
        """

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the scalar to be minimised."""

    @abstractmethod
    def scores(self, network: nn.Module) -> Callable[[Part], float]:
        """Return a function that gives the metric of a part; the network is not changed in between."""

    @abstractmethod
    def predict(self, network: nn.Module, part: Part) -> Prediction:
        """Return the network's outputs for a part."""

    @abstractmethod
    def chance(self, part: Part) -> float:
        """Return the metric of a part for the best guess that looks at neither graph nor features."""

    @property
    def whole(self) -> tuple[Graph, Tensor] | None:
        """Graph and features of the one forward pass that every step and every score is made of, `network(*whole)`.

        Each epoch is then one step, on the same batch. None, the default, where that is not so, as for samples.
        """
        return None

    @property
    def choices(self) -> list[Note]:
        """Choices that the task made by itself, for the record: what, chosen, why."""
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
        """Return the share of the way from chance (0) to perfection (1) of a score; 0 where it is not a number.

        None where chance is perfect, as with one class, or not known: there is nothing to learn.
        """
        chance = self.chance(part)
        if chance == self.perfect or math.isnan(chance):
            return None
        return 0.0 if math.isnan(score) else (score - chance) / (self.perfect - chance)

    def better(self, score: float, than: float) -> bool:
        """Return true if a score is a strict improvement."""
        return score > than if self.higher_is_better else score < than

    def _score_by(self, measure: Metric, reason: str) -> None:
        """Set what records say of the metric."""
        self.metric, self.metric_by, self.metric_reason = measure.name, measure.by, reason
        self.higher_is_better, self.metric_range = measure.higher_is_better, measure.range


def outputs_of(network: nn.Module, graph: NetworkGraph, x: Tensor, shape: tuple[int, int | None]) -> Tensor:
    """Return network(graph, x). Raises: ComponentError unless it is floats of that shape."""
    outputs = network(graph, x)
    return returned("model", network, outputs, shape, x, "[rows, out_width]", any_float=True)


def check_data(task: type[Task], data: Data) -> None:
    """Raise BuildError, with the tasks that fit, unless the data set is of a kind that the task takes."""
    if isinstance(data, tuple(task.takes)):
        return
    expected = ", or ".join(kind.summary for kind in task.takes)
    kinds = {name: made.takes for name in tasks.names() if issubclass(made := tasks.get(name), Task)}
    ways = [(way, name) for name, takes in kinds.items() for kind, way in takes.items() if isinstance(data, kind)]
    fitting = ", or ".join(f"task={name}" + (f" with {way}" if way else "") for way, name in sorted(ways))
    raise BuildError(
        f"{described(task, 'task')} — {data.name} is {data.summary} — expected a data set that is {expected} — "
        f"for this one: {fitting}"
    )
