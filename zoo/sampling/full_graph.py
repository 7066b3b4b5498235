"""Full-batch training: every step computes on the whole graph."""

from collections.abc import Iterator

import torch
from torch import Tensor

from zoo.graphs.graph import Graph
from zoo.sampling.batching import Batching, TaskSetting
from zoo.sampling.sampler import Sample, Sampler


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
