"""Many graphs as one set of arrays, from which batches are cut: disjoint unions of some of them."""

import torch
from torch import Tensor

from zoo.engine.kernel import KernelName
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.segments import graph_ids


class DisjointGraphs:
    """Graphs whose nodes are numbered consecutively, graph after graph; `batch` makes the union of any of them.

    src, dst: int64 [edges] over the nodes of all graphs, in any order. sizes: int64 [graphs], the nodes of each, 0
    allowed. edge_features: [edges, columns], or None. All on the CPU, where batches are made: a batch costs a few index
    operations on arrays as long as the batch, whatever the number of graphs, and no step is taken per graph.
    Raises: BuildError if an edge leaves its graph or names no node.
    """

    def __init__(self, src: Tensor, dst: Tensor, sizes: Tensor, edge_features: Tensor | None = None) -> None:
        self.sizes = sizes
        self.starts = _starts(sizes)
        nodes, owner = int(self.starts[-1]), graph_ids(sizes)
        if len(src) and not 0 <= int(torch.minimum(src, dst).min()) <= int(torch.maximum(src, dst).max()) < nodes:
            raise BuildError(f"graphs — edges name nodes that are not there — expected 0 … {nodes - 1} ({nodes} nodes)")
        graph = owner[src]
        if bool((wrong := graph != owner[dst]).any()):
            edge = int(wrong.nonzero()[0])
            raise BuildError(
                f"graphs — edge {edge} joins node {int(src[edge])} of graph {int(graph[edge])} with node "
                f"{int(dst[edge])} of graph {int(owner[dst[edge]])} — expected edges within graphs"
            )
        order = torch.argsort(graph, stable=True)
        self.src, self.dst = src[order], dst[order]
        self.edge_features = None if edge_features is None else edge_features[order]
        self.edge_counts = torch.bincount(graph, minlength=len(sizes))
        self.edge_starts = _starts(self.edge_counts)

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, ids: Tensor, kernel: KernelName = "auto") -> tuple[Graph, Tensor]:
        """The disjoint union of the graphs `ids`, int64 [batch], in that order, and its nodes' numbers in the whole.

        The second is int64 [nodes]: it picks the batch's rows out of any array over all nodes. Edges are ordered by
        graph, and within each as they were given.
        """
        sizes, edge_counts = self.sizes[ids], self.edge_counts[ids]
        starts = self.starts[ids]
        nodes = _ranges(starts, sizes)
        edges = _ranges(self.edge_starts[ids], edge_counts)
        moved = torch.repeat_interleave(_starts(sizes)[:-1] - starts, edge_counts, output_size=len(edges))
        src, dst = self.src[edges] + moved, self.dst[edges] + moved
        features = None if self.edge_features is None else self.edge_features[edges]
        graph = Graph.from_edges(src, dst, len(nodes), kernel, edge_features=features, sizes=sizes)
        return graph, nodes


def _starts(counts: Tensor) -> Tensor:
    """The start of each range that follows the ones before it, and the end of the last: int64 [len + 1]."""
    starts = counts.new_zeros(len(counts) + 1)
    torch.cumsum(counts, 0, out=starts[1:])
    return starts


def _ranges(starts: Tensor, counts: Tensor) -> Tensor:
    """start, start + 1, …, start + count − 1 of each range, one range after the other."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    return torch.arange(total) + torch.repeat_interleave(starts - ends + counts, counts, output_size=total)
