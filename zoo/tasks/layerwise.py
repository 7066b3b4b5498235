"""Layer-wise inference: exact outputs for every node, block by block over chunks of nodes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.graphs.block_graphs import sampled_block
from zoo.graphs.graph import Graph
from zoo.layers.conv import attribute_of
from zoo.layers.network import Blocks, Network
from zoo.sampling.in_edges import InEdges


class Layerwise:
    """Evaluates networks on a whole graph, each block for `chunk` nodes at a time.

    A chunk is a block of the graph with all in-edges of its nodes and the whole graph's degrees, so that its rows are
    those of a forward pass over the whole graph, up to the order of sums. In memory at once are the features of all
    nodes before and after a block (and those that the readout collects), and what a block makes of one chunk: features
    of edges, heads and hidden widths never exist for the whole graph. The index arrays of the chunks take about as much
    as those of the graph, and are kept.

    graph: the whole, on the CPU.
    """

    def __init__(self, graph: Graph, chunk: int) -> None:
        self.graph = graph
        self.chunk = chunk
        self._made: list[tuple[Graph, Tensor]] = []

    @torch.no_grad()
    def __call__(self, network: Network, features: Tensor) -> Tensor:
        """Return the network's output for all nodes; features: [nodes, …], on the device to compute on.

        The network has to be in eval mode, and one of which `whole_reason` returns None.
        """
        starts = range(0, self.graph.nodes, self.chunk)
        rows = [slice(start, min(start + self.chunk, self.graph.nodes)) for start in starts]
        parts = self._parts(features.device)
        x = _filled(lambda part: network.encoder(network.embed(features[part])), rows)

        def one(block: nn.Module, part: slice, here: Tensor, first: Tensor | None) -> Tensor:
            graph, nodes = parts[part.start // self.chunk]
            return block(graph, here[nodes], None if first is None else first[nodes[: graph.nodes]])

        def run(blocks: Blocks) -> list[Tensor]:
            here, first = x, x if network.encodes else None
            outputs: list[Tensor] = []
            for block in blocks:
                here = _filled(lambda part: one(block, part, here, first), rows)  # noqa: B023
                first = here if first is None else first
                outputs = [*outputs, here] if network.readout.collects else [here]
            return outputs

        outputs = network.with_blocks(run)

        def read(part: slice) -> Tensor:
            graph, _ = parts[part.start // self.chunk]
            return network.read_out(graph, x[part], [output[part] for output in outputs])

        return _filled(read, rows)

    def _parts(self, device: torch.device) -> list[tuple[Graph, Tensor]]:
        if not self._made:
            in_edges = InEdges(self.graph.structure)
            for chunk in torch.arange(self.graph.nodes).split(self.chunk):
                nodes, found = in_edges.into(chunk)
                block = sampled_block(self.graph, nodes, len(chunk), found.src, found.place, found.edge)
                self._made.append((block.to(device), nodes.to(device)))
        return self._made


def whole_reason(network: Network) -> str | None:
    """Return why a network cannot be run on some nodes at a time; None if it can."""
    for module in network.blocks.modules():
        if not attribute_of(module, "per_node", True):
            return f"{type(module).__name__} computes a node's row from more than its in-edges"
    return None


def _filled(make: Callable[[slice], Tensor], rows: list[slice]) -> Tensor:
    """Return the rows that are made one slice after the other, without holding them twice."""
    first = make(rows[0])
    whole = first.new_empty(rows[-1].stop, *first.shape[1:])
    whole[rows[0]] = first
    del first
    for part in rows[1:]:
        whole[part] = make(part)
    return whole
