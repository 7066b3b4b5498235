"""Nodes and edges of a graph, in DGL's form and as index arrays, each made of the other when it is asked for."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zoo import dgl_backend
from zoo.engine.kernel_choice import DGLGraph
from zoo.engine.structure import Structure
from zoo.errors import BuildError


@dataclass(frozen=True, eq=False)
class Topology:
    """Edges from `sources` to `nodes`, on one device; in a block the nodes are the first sources, else all of them.

    Given are ends, [edges] each, arrays, or of_dgl, one of them at least.
    """

    sources: int
    nodes: int
    edges: int
    is_block: bool
    device: torch.device
    ends: tuple[Tensor, Tensor] | None = None
    arrays: Structure | None = None
    of_dgl: DGLGraph | None = None

    @classmethod
    def of_edges(cls, src: Tensor, dst: Tensor, sources: int, nodes: int, *, is_block: bool = False) -> "Topology":
        """The edges src[i] → dst[i], which are not checked."""
        return cls(sources, nodes, len(src), is_block, src.device, ends=(src, dst))

    @classmethod
    def of_graph(cls, graph: DGLGraph, device: torch.device | str | None = None) -> "Topology":
        """The edges of a DGLGraph. Raises: BuildError if it has several node or edge types."""
        if len(graph.canonical_etypes) != 1 or not (graph.is_homogeneous or graph.is_block):
            raise BuildError(
                f"graph — has node types {graph.ntypes} and edge types {graph.etypes} — expected one of each — "
                "dgl.to_homogeneous(graph)"
            )
        device = torch.device(graph.device if device is None else device)
        counts = graph.num_src_nodes(), graph.num_dst_nodes(), graph.num_edges()
        own = _moved(graph, device).local_var()  # edges that its owner adds later are not ours
        return cls(*counts, graph.is_block, device, of_dgl=own)

    def to(self, device: torch.device) -> "Topology":
        """The same on a device."""
        of_dgl = None if self.of_dgl is None else _moved(self.of_dgl, device)
        counts = self.sources, self.nodes, self.edges
        return Topology(*counts, self.is_block, device, arrays=self.structure.to(device), of_dgl=of_dgl)

    def edge_subgraph(self, keep: Tensor) -> "Topology":
        """The edges where keep, bool [edges], is True, in their order."""
        arrays = self.structure.edge_subgraph(keep)
        return Topology(self.sources, self.nodes, arrays.edges, self.is_block, self.device, arrays=arrays)

    @cached_property
    def structure(self) -> Structure:
        """The index arrays."""
        if self.arrays is not None:
            return self.arrays
        src, dst = self.dgl.edges(order="eid") if self.ends is None else self.ends
        return Structure.of(src, dst, self.sources, self.nodes).to(self.device)

    @cached_property
    def dgl(self) -> DGLGraph:
        """The DGLGraph: on this device where DGL has kernels for it, else on the CPU."""
        if self.of_dgl is not None:
            return self.of_dgl
        structure = self.structure
        ends = tuple(end.long().cpu() for end in ((structure.src, structure.dst) if self.ends is None else self.ends))
        if self.is_block:
            made = dgl_backend.dgl.create_block(ends, num_src_nodes=self.sources, num_dst_nodes=self.nodes)
        else:
            made = dgl_backend.dgl.graph(ends, num_nodes=self.nodes)
        return _moved(made, self.device)

    @cached_property
    def loops(self) -> Tensor:
        """The number of each node's loops, int64 [nodes]; destinations are the first sources, so these are its own."""
        src, dst = self.structure.src, self.structure.dst
        return torch.bincount(dst[src == dst].long(), minlength=self.nodes)


def _moved(graph: DGLGraph, device: torch.device) -> DGLGraph:
    return graph.to(device) if device.type == "cpu" or dgl_backend.has_cuda() else graph
