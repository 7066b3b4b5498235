"""What a training step on one large graph computes on: one interface for full-batch and sampled training."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.sampling.batching import Batching, TaskSetting


@dataclass(frozen=True)
class Sample:
    """A part of a graph to compute on, and the nodes that are learned from.

    nodes: int64 [sources], which nodes of the whole graph its inputs
    are; None, all of them in their order. rows: int64, rows of the network's output that count. targets: int64, which
    nodes of the whole graph these are. weight: factor of the mean loss, see `batching.Share`.
    """

    graph: Graph | BlockGraphs
    nodes: Tensor | None
    rows: Tensor
    targets: Tensor
    weight: float = 1.0

    def to(self, device: torch.device) -> "Sample":
        """The sample on a device."""
        nodes = None if self.nodes is None else self.nodes.to(device)
        return Sample(self.graph.to(device), nodes, self.rows.to(device), self.targets.to(device), self.weight)


class Sampler(ABC):
    """Makes the samples of an epoch. Built as `Sampler(graph, targets, setting, *, options)`.

    graph: the whole graph, on the CPU. targets: int64, the nodes to learn from.
    """

    @property
    @abstractmethod
    def steps(self) -> int:
        """Samples of an epoch."""

    @property
    def nodes_per_step(self) -> int | None:
        """About how many nodes a sample has; None where it cannot be told before."""
        return None

    def for_blocks(self, blocks: int) -> None:  # noqa: B027 - most serve any number
        """Told how many blocks the network has, before the first sample. Raises: BuildError if it cannot serve them."""

    def to(self, device: torch.device) -> None:  # noqa: B027 - most have nothing
        """Move what all samples have in common."""

    @abstractmethod
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """The samples of an epoch, from `start` on; each depends on the seed, the epoch and its number alone."""


class FullGraph(Sampler):
    """The whole graph and all its training nodes, once an epoch."""

    def __init__(self, graph: Graph, targets: Tensor, setting: TaskSetting) -> None:
        self.graph = graph
        self.targets = targets
        self.batching = Batching(len(targets), None, setting.seed, setting.rank, setting.processes)

    @property
    def steps(self) -> int:
        """One."""
        return 1

    @property
    def nodes_per_step(self) -> int:
        """All."""
        return self.graph.nodes

    def to(self, device: torch.device) -> None:
        """Move all that there is."""
        self.graph, self.targets = self.graph.to(device), self.targets.to(device)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """The whole, with this process's share of the training nodes."""
        for share in self.batching.epoch(epoch, start):
            nodes = self.targets if self.batching.processes == 1 else self.targets[share.examples]
            yield Sample(self.graph, None, nodes, nodes, share.weight)
