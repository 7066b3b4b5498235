"""Neighbour sampling: a batch of nodes, some of their in-neighbours, some of theirs, and so on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.block_graphs import BlockGraphs, sampled_block
from zoo.graphs.graph import Graph
from zoo.recipe.fields import Count, Index
from zoo.sampling.base import Sample, Sampler
from zoo.sampling.batching import Share, TaskSetting, made
from zoo.sampling.in_edges import InEdges
from zoo.system.seeds import stream

Ids = NDArray[np.int64]


def _fanout(value: int) -> int:
    if value < 1 and value != -1:
        raise ValueError("expected 1 or more, or -1 for all in-neighbours")
    return value


Fanout = Annotated[int, AfterValidator(_fanout)]


class NeighborSampler(Sampler):
    """Batches of training nodes with, for each block, a uniform draw of in-neighbours of the nodes it computes.

    Of each node a block sums over `fanout` in-neighbours drawn without replacement, or all where it has no more, and
    over its loops besides; weights make sums estimate those of the whole graph without bias (`SamplingWeights`).
    What a block needs grows by the fan-out from block to block toward the input, up to the whole graph: for shallow
    networks, or wide ones on very large graphs. Deep ones train on `cluster` or `shadow`.

    fanouts: of every block, or a list with one for each, the first block's first; −1 takes all. (Elsewhere lists often
    begin at the training nodes.) batch_size: training nodes of a step, over all processes. workers: processes that
    sample ahead; their number changes no sample.
    Raises: BuildError for a list of another length than the network has blocks.
    Source: Hamilton et al., NeurIPS 2017, algorithm 2; drawn by DGL.
    """

    def __init__(
        self,
        graph: Graph,
        targets: Tensor,
        setting: TaskSetting,
        *,
        fanouts: Fanout | Sequence[Fanout] = 10,
        batch_size: Count = 1024,
        workers: Index = 0,
    ) -> None:
        self.graph, self.targets = graph, targets
        self.fanouts, self.workers = fanouts, workers
        self.batching = setting.batching(len(targets), batch_size)
        self._draw = _Draw(graph, targets, setting.seed, setting.rank)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.batching.steps

    def for_blocks(self, blocks: int) -> None:
        """Take the fan-outs of so many blocks."""
        given = [self.fanouts] * blocks if isinstance(self.fanouts, int) else list(self.fanouts)
        if len(given) != blocks:
            raise BuildError(
                f"task.sampler.fanouts — {len(given)} are given, and the network has {blocks} blocks — expected one "
                "for each block, or one number for all — a list of as many, or model.depth"
            )
        self._draw.fanouts = given

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Sample]:
        """Yield the graphs of all blocks for each batch."""
        if not self._draw.fanouts:
            raise BuildError("task.sampler — was not told how many blocks there are — expected for_blocks before epoch")
        shares = list(self.batching.epoch(epoch, start))
        for share, layers in zip(shares, made(partial(self._draw, epoch), shares, self.workers), strict=True):
            blocks = [sampled_block(self.graph, *map(_tensor, layer)) for layer in layers]
            targets = self.targets[share.examples]
            rows = torch.arange(len(targets))
            yield Sample(BlockGraphs(blocks), torch.from_numpy(layers[0].nodes), rows, targets, share.weight)


class _Layer(NamedTuple):
    """Arguments of `sampled_block`, as arrays."""

    nodes: Ids
    destinations: int
    src: Ids
    dst: Ids
    edges: Ids


class _Draw:
    """Draws the blocks of a share's batch; all that a worker process has to have."""

    def __init__(self, graph: Graph, targets: Tensor, seed: int, rank: int) -> None:
        structure = graph.structure
        loops = structure.src == structure.dst
        self.others = (~loops).nonzero().squeeze(1)
        src, dst = (end[self.others].long() for end in (structure.src, structure.dst))
        self.dgl_graph = dgl.graph((src, dst), num_nodes=graph.nodes).formats(["csc"])
        self.loops = InEdges(structure, loops)
        self.targets, self.seed, self.rank = targets, seed, rank
        self.fanouts: list[int] = []

    def __call__(self, epoch: int, share: Share) -> list[_Layer]:
        nodes = self.targets[share.examples]
        layers: list[_Layer] = []
        with _seeded(stream(self.seed, epoch, share.number, self.rank)):
            for fanout in reversed(self.fanouts):
                layers.insert(0, self._layer(nodes, fanout))
                nodes = torch.from_numpy(layers[0].nodes)
        return layers

    def _layer(self, nodes: Tensor, fanout: int) -> _Layer:
        drawn = dgl.sampling.sample_neighbors(self.dgl_graph, nodes, fanout)
        block = dgl.to_block(drawn, nodes)
        src, dst = block.edges(order="eid")
        edges = self.others[drawn.edata[dgl.EID][block.edata[dgl.EID]]]
        loops = self.loops.of(nodes)
        parts = torch.cat([src, loops.place]), torch.cat([dst, loops.place]), torch.cat([edges, loops.edge])
        return _Layer(block.srcdata[dgl.NID].numpy(), len(nodes), *(part.numpy() for part in parts))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed DGL's generators, one for each thread, and use one thread: the draw depends on the seed alone.

    In a forked process it is also what keeps OpenMP from waiting for threads that were not copied.
    """
    threads = dgl.utils.get_num_threads()
    dgl.utils.set_num_threads(1)
    try:
        dgl.seed(seed)
        yield
    finally:
        dgl.utils.set_num_threads(threads)


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value
