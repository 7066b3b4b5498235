"""`BlockGraphs`: what a sampled network runs on, a graph for each of its blocks; and how such graphs are made."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.sampling_weights import SamplingWeights


class BlockGraphs:
    """One graph for each block of a network; the destinations of each are the sources of the next, in their order.

    Destinations are the first sources throughout, so that the rows which are left at any place are the first rows of
    every earlier matrix. Offers what a network asks of a `Graph`.

    Raises: BuildError if the graphs do not follow on one another.
    """

    def __init__(self, blocks: Sequence[Graph]) -> None:
        self.blocks = list(blocks)
        for place, (one, other) in enumerate(pairwise(self.blocks), start=1):
            if one.nodes != other.sources:
                raise BuildError(
                    f"flow — block {place} gives {one.nodes} nodes and block {place + 1} takes {other.sources} — "
                    "expected equal numbers"
                )
        if not self.blocks:
            raise BuildError("flow — has no graphs — expected one for each block")

    @property
    def sources(self) -> int:
        """Rows of the network's input."""
        return self.blocks[0].sources

    @property
    def nodes(self) -> int:
        """Rows of the network's output."""
        return self.blocks[-1].nodes

    @property
    def edges(self) -> int:
        """Edges of all blocks."""
        return sum(block.edges for block in self.blocks)

    @property
    def device(self) -> torch.device:
        """Where the graphs are."""
        return self.blocks[0].device

    def __repr__(self) -> str:
        return f"<BlockGraphs: {len(self.blocks)} blocks, {self.sources} to {self.nodes} nodes, {self.edges} edges>"

    def to(self, device: torch.device | str) -> "BlockGraphs":
        """The flow on a device."""
        return BlockGraphs([block.to(device) for block in self.blocks])

    def at_block(self, index: int, of: int) -> Graph:
        """The graph of a block, counted from 0, of a network of so many. Raises: BuildError if it has others."""
        if of != len(self.blocks):
            raise BuildError(
                f"flow — is made for {len(self.blocks)} blocks, and the network has {of} — expected as many"
            )
        return self.blocks[index]

    def each(self, change: Callable[[Graph], Graph]) -> "BlockGraphs":
        """The flow of the changed graphs."""
        return BlockGraphs([change(block) for block in self.blocks])

    def at_destinations(self, x: Tensor) -> Tensor:
        """The rows of x, [at any place, …], that the network's output has."""
        return x[: self.nodes]


def sampled_block(
    whole: Graph, nodes: Tensor, destinations: int, src: Tensor, dst: Tensor, edges: Tensor | None = None
) -> Graph:
    """A block of some of a whole graph's edges, which weighs them so that sums estimate those of the whole.

    nodes: int64 [sources], which nodes of the whole graph the sources are, the first `destinations` of them being the
    destinations, too. src, dst: int64 [edges], places among these. edges: which edges of the whole graph they are, for
    their features. Of each destination every loop has to be here, and a uniform draw of others; see `SamplingWeights`.
    """
    block = dgl.create_block((src, dst), num_src_nodes=len(nodes), num_dst_nodes=destinations)
    features = None if whole.edge_features is None or edges is None else whole.edge_features[edges]
    return Graph(
        block, kernel=whole.asked, edge_features=features, population=SamplingWeights.of(whole, nodes, destinations)
    )
