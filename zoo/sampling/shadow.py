"""ShaDow: each training node with a small subgraph of its own, in which the network may be of any depth."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.datasets.pairs import among
from zoo.graphs.graph import Graph
from zoo.recipe.fields import Count, Few, Index
from zoo.sampling.base import Sample, Sampler, subgraph
from zoo.sampling.batching import Share, TaskSetting, made
from zoo.sampling.in_edges import InEdges

Ids = NDArray[np.int64]


class ShadowSampler(Sampler):
    """Each training node learns from the subgraph that its sampled neighbourhood induces; all blocks run on it.

    From the node, `hops` times, every node that came last adds up to `fanout` of its in-neighbours, drawn without
    replacement; the subgraph has all edges among the nodes found, and its own degrees. Scope and depth are two things:
    64 blocks see two hops. A batch is the disjoint union of its nodes' subgraphs (`Graph.sizes`), so that norms over
    nodes and pooling treat each by itself.

    Scores are those of the whole graph, as everywhere, where the network sees as far as it is deep; the paper evaluates
    on sampled subgraphs, too.

    batch_size: training nodes of a step, over all processes. workers: processes that sample ahead; their number changes
    no sample.
    Source: Zeng et al., NeurIPS 2021 (arXiv 2201.07858), its k-hop sampler.
    """

    def __init__(
        self,
        graph: Graph,
        targets: Tensor,
        setting: TaskSetting,
        *,
        hops: Few = 2,
        fanout: Count = 10,
        batch_size: Count = 256,
        workers: Index = 0,
    ) -> None:
        self.graph, self.targets, self.workers = graph, targets, workers
        self.batching = setting.batching(len(targets), batch_size)
        self._draw = _Draw(graph, targets, (setting.seed, setting.rank), hops, fanout)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.batching.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """Yield a union of subgraphs for each batch."""
        shares = list(self.batching.epoch(epoch, start))
        for share, drawn in zip(shares, made(partial(self._draw, epoch), shares, self.workers), strict=True):
            nodes, src, dst, edges, sizes, rows = map(torch.from_numpy, drawn)
            graph = subgraph(self.graph, len(nodes), src, dst, edges, sizes)
            yield Sample(graph, nodes, rows, self.targets[share.examples], share.weight)


class _Draw:
    """Draws the subgraphs of a share: nodes, src, dst, edges, sizes, rows; all that a worker process has to have.

    A node of the subgraph of the i-th training node is written as the one number i·nodes + node.
    """

    def __init__(self, graph: Graph, targets: Tensor, seeds: tuple[int, int], hops: int, fanout: int) -> None:
        structure = graph.structure
        self.nodes = graph.nodes
        self.all = InEdges(structure)
        self.others = InEdges(structure, structure.src != structure.dst)
        self.targets, self.seeds, self.hops, self.fanout = targets, seeds, hops, fanout

    def __call__(self, epoch: int, share: Share) -> tuple[Ids, ...]:
        seed, rank = self.seeds
        generator = np.random.Generator(np.random.PCG64([seed, epoch, share.number, rank]))
        targets = self.targets[share.examples]
        roots = torch.arange(len(targets)) * self.nodes + targets
        scope = last = roots
        for _ in range(self.hops):
            drawn = torch.unique(self._neighbours(last, generator))
            last = drawn[~among(drawn, scope)]
            scope = torch.cat([scope, last]).sort().values
        owner, nodes = scope // self.nodes, scope % self.nodes
        found = self.all.of(nodes)
        sources = owner[found.place] * self.nodes + found.src
        src = torch.searchsorted(scope, sources)
        inside = among(sources, scope)
        sizes = torch.bincount(owner, minlength=len(targets))
        rows = torch.searchsorted(scope, roots)
        parts = nodes, src[inside], found.place[inside], found.edge[inside], sizes, rows
        return tuple(part.numpy() for part in parts)

    def _neighbours(self, at: Tensor, generator: np.random.Generator) -> Tensor:
        """Return up to `fanout` in-neighbours of each of these nodes of subgraphs."""
        found = self.others.of(at % self.nodes)
        keys = torch.from_numpy(generator.random(len(found.place)))
        # In the order of random numbers within each node, the first ones are a uniform draw without replacement.
        order = keys.argsort()
        order = order[found.place[order].argsort(stable=True)]
        counts = torch.bincount(found.place, minlength=len(at))
        rank = torch.arange(len(order)) - (counts.cumsum(0) - counts)[found.place]
        chosen = order[rank < self.fanout]
        return at[found.place[chosen]] // self.nodes * self.nodes + found.src[chosen]
