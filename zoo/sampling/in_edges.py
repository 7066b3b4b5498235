"""In-edges of any nodes, at a cost that does not depend on the rest of the graph."""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.engine.structure import Structure


class Found(NamedTuple):
    """In-edges, ordered by the place of their destination; int64 [edges] each.

    place: of the destination among the nodes that were asked about. src: source. edge: id.
    """

    place: Tensor
    src: Tensor
    edge: Tensor


class InEdges:
    """Looks up in-edges. structure: of the graph, on the CPU. keep: bool [edges], which edges there are; None, all."""

    def __init__(self, structure: Structure, keep: Tensor | None = None) -> None:
        rows = structure.incoming if keep is None else structure.edge_subgraph(keep).incoming
        ids = rows.edges.long()
        self.nodes = rows.count
        self.edges = ids if keep is None else keep.nonzero().squeeze(1)[ids]
        self.offsets, self.sources = rows.offsets.long(), rows.columns.long()

    def of(self, nodes: Tensor) -> Found:
        """Return all in-edges of these nodes, int64 [n]; a node may be asked about more than once."""
        starts = self.offsets[nodes]
        counts = self.offsets[nodes + 1] - starts
        place = torch.repeat_interleave(torch.arange(len(nodes)), counts)
        entries = torch.arange(len(place)) + (starts - counts.cumsum(0) + counts)[place]
        return Found(place, self.sources[entries], self.edges[entries])

    def among(self, nodes: Tensor) -> Found:
        """Return the edges of the induced subgraph: those that join two of these nodes, with places in `src`, too.

        nodes: int64 [n], each once.
        """
        found = self.of(nodes)
        places = torch.full((self.nodes,), -1)
        places[nodes] = torch.arange(len(nodes))
        src = places[found.src]
        inside = src >= 0
        return Found(found.place[inside], src[inside], found.edge[inside])

    def into(self, nodes: Tensor) -> tuple[Tensor, Found]:
        """Return all in-edges of these nodes, with places in `src`: int64 [sources], the nodes first, then the others.

        nodes: int64 [n], each once.
        """
        found = self.of(nodes)
        outside = torch.zeros(self.nodes, dtype=torch.bool)
        outside[found.src] = True
        outside[nodes] = False
        sources = torch.cat([nodes, outside.nonzero().squeeze(1)])
        places = torch.empty(self.nodes, dtype=torch.int64)
        places[sources] = torch.arange(len(sources))
        return sources, Found(found.place, places[found.src], found.edge)
