"""Layer-wise inference: exact outputs for every node, block by block over chunks of nodes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.graphs.block_graphs import sampled_block
from zoo.graphs.graph import Graph
from zoo.layers.network import Blocks, Network
from zoo.sampling.in_edges import InEdges


class Layerwise:
    """Evaluates networks on a whole graph, each block for `chunk` nodes at a time.

    A chunk is a block of the graph with all in-edges of its nodes and the whole graph's degrees, so that its rows are
    those of a forward pass over the whole graph, up to the order of sums. What is alive at once are the features of all
    nodes before and after a block (and those that the readout collects), and what a block makes of one chunk: features
    of edges, heads and hidden widths are never there for the whole graph. The index arrays of the chunks take about as
    much as those of the graph, and are kept.

    graph: the whole, on the CPU.
    """

    def __init__(self, graph: Graph, chunk: int) -> None:
        self.graph = graph
        self.chunk = chunk
        self._made: list[tuple[Graph, Tensor]] = []

    @torch.no_grad()
    def __call__(self, network: Network, features: Tensor) -> Tensor:
        """The network's output for all nodes; features: [nodes, …], on the device to compute on.

        The network has to be in eval mode, and one of which `whole_reason` says nothing.
        """
        ends = range(0, self.graph.nodes, self.chunk)
        rows = [slice(start, min(start + self.chunk, self.graph.nodes)) for start in ends]
        parts = self._parts(features.device)
        x = _filled(lambda part: network.encoder(network.embed(features[part])), rows)

        def run(blocks: Blocks) -> list[Tensor]:
            here, first = x, x if network.encodes else None
            outputs: list[Tensor] = []
            for block in blocks:
                here = _filled(lambda part: self._one(block, parts[part.start // self.chunk], here, first), rows)  # noqa: B023
                first = here if first is None else first
                outputs = [*outputs, here] if network.readout.collects else [here]
            return outputs

        outputs = network.with_blocks(run)
        graphs = [graph for graph, _ in parts]
        return _filled(
            lambda part: network.read_out(
                graphs[part.start // self.chunk], x[part], [output[part] for output in outputs]
            ),
            rows,
        )

    def _one(self, block: nn.Module, part: tuple[Graph, Tensor], x: Tensor, first: Tensor | None) -> Tensor:
        graph, nodes = part
        return block(graph, x[nodes], None if first is None else first[nodes[: graph.nodes]])

    def _parts(self, device: torch.device) -> list[tuple[Graph, Tensor]]:
        if not self._made:
            in_edges = InEdges(self.graph.structure)
            for chunk in torch.arange(self.graph.nodes).split(self.chunk):
                nodes, found = in_edges.into(chunk)
                block = sampled_block(self.graph, nodes, len(chunk), found.src, found.place, found.edge)
                self._made.append((block.to(device), nodes.to(device)))
        return self._made


def whole_reason(network: Network) -> str | None:
    """Why a network cannot be run on some nodes at a time; None if it can."""
    for module in network.blocks.modules():
        if not getattr(module, "per_node", True):
            return f"{type(module).__name__} computes a node's row from more than its in-edges"
    return None


def _filled(make: Callable[[slice], Tensor], rows: list[slice]) -> Tensor:
    """The rows that are made one slice after the other, without holding them twice."""
    whole: Tensor | None = None
    for part in rows:
        made = make(part)
        if whole is None:
            whole = made.new_empty(rows[-1].stop, *made.shape[1:])
        whole[part] = made
    assert whole is not None, "a graph has nodes"
    return whole
