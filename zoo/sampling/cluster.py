"""Cluster batches: parts of the graph with few edges between them, and whole neighbourhoods within."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.parts import metis_parts
from zoo.recipe.fields import Count, Index
from zoo.sampling.base import Sample, Sampler, subgraph
from zoo.sampling.batching import TaskSetting, made
from zoo.sampling.in_edges import InEdges
from zoo.system.seeds import permutation

Ids = NDArray[np.int64]


class ClusterSampler(Sampler):
    """Cluster-GCN: the graph is cut into parts once, and a step computes on the subgraph that some of them induce.

    Edges between parts of one step are there, all others are not; degrees, and so the weights in Â, are those of the
    subgraph. Nothing grows with depth: a step costs its share of the whole graph, however many blocks there are. What
    is lost are the edges that are cut, other ones in each epoch.

    Each epoch deals the parts anew, as evenly as can be; parts without a training node are left out. Every training
    node is in one step of an epoch.

    parts: how many; batch_parts: of a step, over all processes. by: "metis", few edges between parts, or "random".
    workers: processes that make subgraphs ahead; their number changes no sample.
    Raises: BuildError for more parts than nodes, no training nodes, or too few parts for each process to have one.
    Source: Chiang et al., KDD 2019 (arXiv 1905.07953), with its stochastic multiple partitions and without its diagonal
    enhancement, which is a matter of the convolution.
    """

    def __init__(
        self,
        graph: Graph,
        targets: Tensor,
        setting: TaskSetting,
        *,
        parts: Count = 50,
        batch_parts: Count = 5,
        by: Literal["metis", "random"] = "metis",
        workers: Index = 0,
    ) -> None:
        if parts > graph.nodes:
            raise BuildError(
                f"task.sampler.parts — {parts} of {graph.nodes} nodes — expected no more than there are nodes"
            )
        self.graph, self.setting, self.workers = graph, setting, workers
        part = metis_parts(graph, parts) if by == "metis" else permutation(graph.nodes, setting.seed) % parts
        self._draw = _Draw(graph, targets)
        self.parts = [nodes for nodes in _members(part, parts) if self._draw.is_target[nodes].any()]
        self.steps_ = -(-len(self.parts) // batch_parts)
        if not self.parts or len(self.parts) // self.steps_ < setting.processes:
            raise BuildError(
                f"task.sampler — {len(self.parts)} parts with training nodes, dealt {batch_parts} at a time, leave "
                f"some of {setting.processes} processes without one — expected one for each in every step — a larger "
                "batch_parts"
            )

    @property
    def steps(self) -> int:
        """Groups of parts."""
        return self.steps_

    @property
    def nodes_per_step(self) -> int:
        """The mean number of nodes over the steps."""
        return sum(map(len, self.parts)) // (self.steps_ * self.setting.processes)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """Yield a subgraph for each group of parts."""
        rank, processes = self.setting.rank, self.setting.processes
        order = permutation(len(self.parts), self.setting.seed, epoch).numpy()
        groups = np.array_split(order, self.steps_)[start:]
        mine = [torch.cat([self.parts[part] for part in group[rank::processes]]) for group in groups]
        for group, drawn in zip(groups, made(self._draw, mine, self.workers), strict=True):
            nodes, src, dst, edges, rows = map(torch.from_numpy, drawn)
            graph = subgraph(self.graph, len(nodes), src, dst, edges)
            weight = 1.0
            if processes > 1:
                all_targets = sum(int(self._draw.is_target[self.parts[part]].sum()) for part in group)
                weight = len(rows) * processes / all_targets
            yield Sample(graph, nodes, rows, nodes[rows], weight)


class _Draw:
    """Makes induced subgraphs: nodes, src, dst, edges and rows; all that a worker process has to have."""

    def __init__(self, graph: Graph, targets: Tensor) -> None:
        self.in_edges = InEdges(graph.structure)
        self.is_target = torch.zeros(graph.nodes, dtype=torch.bool)
        self.is_target[targets] = True

    def __call__(self, nodes: Tensor) -> tuple[Ids, ...]:
        nodes = nodes.sort().values
        found = self.in_edges.among(nodes)
        rows = self.is_target[nodes].nonzero().squeeze(1)
        return tuple(part.numpy() for part in (nodes, found.src, found.place, found.edge, rows))


def _members(part: Tensor, parts: int) -> list[Tensor]:
    """Return the nodes of each part."""
    sizes = torch.bincount(part, minlength=parts).tolist()
    return list(torch.argsort(part, stable=True).split(sizes))
