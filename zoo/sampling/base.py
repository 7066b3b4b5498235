"""Samples of one large graph for training steps: one interface for full-batch and sampled training."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.graphs.block_graphs import BlockGraphs
from zoo.graphs.graph import Graph
from zoo.sampling.batching import TaskSetting


@dataclass(frozen=True)
class Sample:
    """A part of a graph to compute on, and the nodes that are learned from.

    nodes: int64 [sources], the nodes of the whole graph that its inputs are; None, all of them in their order. rows:
    int64, rows of the network's output that count. targets: int64, the nodes of the whole graph that these are. weight:
    factor of the mean loss, see `batching.Share`.
    """

    graph: Graph | BlockGraphs
    nodes: Tensor | None
    rows: Tensor
    targets: Tensor
    weight: float = 1.0

    def to(self, device: torch.device) -> "Sample":
        """Return the sample on a device."""
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
        """Prepare for so many blocks, before the first sample. Raises: BuildError if it cannot serve them."""

    def to(self, device: torch.device) -> None:  # noqa: B027 - most have nothing
        """Move what all samples have in common."""

    @abstractmethod
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """Yield the samples of an epoch, from `start` on; each depends on the seed, the epoch and its number alone."""


def subgraph(whole: Graph, nodes: int, src: Tensor, dst: Tensor, edges: Tensor, sizes: Tensor | None = None) -> Graph:
    """Return a graph of so many of a whole graph's nodes. edges: numbers there of the edges, for their features."""
    features = None if whole.edge_features is None else whole.edge_features[edges]
    return Graph.from_edges(src, dst, nodes, whole.asked, edge_features=features, sizes=sizes)


class FullGraph(Sampler):
    """The whole graph and all its training nodes, once an epoch."""

    def __init__(self, graph: Graph, targets: Tensor, setting: TaskSetting) -> None:
        self.graph = graph
        self.targets = targets
        self.batching = setting.batching(len(targets), None)

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
        """Yield the whole, with this process's share of the training nodes."""
        for share in self.batching.epoch(epoch, start):
            nodes = self.targets if self.batching.processes == 1 else self.targets[share.examples]
            yield Sample(self.graph, None, nodes, nodes, share.weight)
