"""Graphs of a sampled network, one for each of its blocks, and the check of what a network is given to run on."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.sampling_weights import SamplingWeights
from zoo.graphs.shapes import is_on
from zoo.graphs.topology import Topology


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
                    f"block graphs — block {place} gives {one.nodes} nodes and block {place + 1} takes {other.sources} "
                    "— expected equal numbers"
                )
        if not self.blocks:
            raise BuildError("block graphs — there are none — expected one for each block")

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
        """The graphs' device."""
        return self.blocks[0].device

    def __repr__(self) -> str:
        return f"<BlockGraphs: {len(self.blocks)} blocks, {self.sources} to {self.nodes} nodes, {self.edges} edges>"

    def to(self, device: torch.device | str) -> "BlockGraphs":
        """The graphs on a device."""
        return BlockGraphs([block.to(device) for block in self.blocks])

    def at_block(self, index: int, of: int) -> Graph:
        """The graph of a block, counted from 0, of a network of so many. Raises: BuildError if it has others."""
        if of != len(self.blocks):
            raise BuildError(
                f"block graphs — are made for {len(self.blocks)} blocks, and the network has {of} — expected as many"
            )
        return self.blocks[index]

    def each(self, change: Callable[[Graph], Graph]) -> "BlockGraphs":
        """The changed graphs."""
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
    block = Topology.of_edges(src, dst, len(nodes), destinations, is_block=True)
    features = None if whole.edge_features is None or edges is None else whole.edge_features[edges]
    population = SamplingWeights.of(whole, nodes, destinations)
    return Graph(block, kernel=whole.asked, edge_features=features, population=population)


def check_given(where: str, graph: object, x: object) -> None:
    """Raise BuildError unless this is a `Graph` or `BlockGraphs`, and x, on its device, has a row for each source."""
    if not isinstance(graph, Graph | BlockGraphs):
        raise BuildError(
            f"{where} — got a {type(graph).__name__} for the graph — expected the zoo's Graph, which keeps what "
            "depends on the graph alone — zoo.graphs.Graph(graph), made once of a DGLGraph"
        )
    if not isinstance(x, Tensor):
        raise BuildError(f"{where} — got a {type(x).__name__} — expected a tensor — torch.as_tensor(x)")
    if not x.dim() or len(x) != graph.sources:
        raise BuildError(
            f"{where} — got features {list(x.shape)} for a graph of {graph.sources} nodes — expected one row for each "
            f"of them, [{graph.sources}, …]"
        )
    if not is_on(x, graph.device):
        raise BuildError(
            f"{where} — got features on {x.device} and a graph on {graph.device} — expected one device — "
            f"x.to({str(graph.device)!r})"
        )
