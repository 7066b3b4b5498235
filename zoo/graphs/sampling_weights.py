"""A sample's knowledge of the graph that it was drawn from: degrees, probabilities, and what counts as smooth."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.engine.structure import Structure
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.subspace import Subspace


@dataclass(frozen=True)
class SamplingWeights:
    """The whole graph's side of a sample whose destinations each kept some of their in-edges.

    whole: the graph that was sampled, on the CPU. nodes: int64 [sources], the nodes of it that are here, destinations
    first. incoming: the in-degrees there of the destinations, [nodes]; outgoing: the out-degrees of the sources,
    [sources]; int64, or estimates in float64.

    Of the d in-edges of a node, ℓ of them loops, a sample has s: every loop, and s−ℓ of the d−ℓ others, all sets of
    them equally likely. Each other edge is then there with probability 1/ρ, ρ = (d−ℓ)/(s−ℓ), and

        Σ_{others sampled} ρ w_e x_src(e) + Σ_{loops} w_e x_src(e)

    has the expectation Σ_e w_e x_src(e) over all d edges, whatever the weights w_e are (Horvitz & Thompson, JASA 1952).
    With the weights of `Graph.propagate`, which are made of whole-graph degrees, that is, for a node without a loop and
    by d⁺ the out-degree of the source,

        both  1/√(d⁺d) · d/s        right  1/d · d/s = 1/s        left  1/d⁺ · d/s        sum  d/s

    and where every in-edge was taken, it is the whole graph's row itself. Loops are no part of the draw: they cost no
    node, and taking them always leaves less noise (docs/sampling.md).
    """

    whole: Any
    nodes: Tensor
    incoming: Tensor
    outgoing: Tensor

    @classmethod
    def of(cls, whole: Any, nodes: Tensor, destinations: int) -> "SamplingWeights":
        """Read off the whole graph; nodes: int64 [sources], of which the first `destinations` are destinations."""
        incoming, outgoing = whole.structure.incoming.lengths, whole.structure.outgoing.lengths
        return cls(whole, nodes, incoming[nodes[:destinations]], outgoing[nodes])

    def to(self, device: torch.device) -> "SamplingWeights":
        """The degrees on another device; the whole graph stays."""
        return SamplingWeights(self.whole, self.nodes, self.incoming.to(device), self.outgoing.to(device))

    def of_destinations(self) -> "SamplingWeights":
        """The same for the destinations alone, as sources and destinations."""
        count = len(self.incoming)
        return SamplingWeights(self.whole, self.nodes[:count], self.incoming, self.outgoing[:count])

    def edge_subgraph(self, share: float, loops: Tensor) -> "SamplingWeights":
        """The degrees that are to be expected once a share of the edges that are no loops is left.

        loops: of each destination; that sources have them is taken from whether any destination has.
        """
        loop = float(loops.max()) if len(loops) else 0.0
        outgoing = share * self.outgoing.double() + (1 - share) * loop
        return SamplingWeights(self.whole, self.nodes, share * self.incoming.double() + (1 - share) * loops, outgoing)

    def inverse_probability(self, structure: Structure, loops: Tensor) -> Tensor | None:
        """ρ of each destination, float64 [nodes]; None where every in-edge is there. loops: of each destination."""
        sampled = structure.incoming.lengths
        if torch.equal(sampled, self.incoming):
            return None
        others = (sampled - loops).double()
        return torch.where(others > 0, (self.incoming.double() - loops) / others.clamp(min=1), 1.0)

    def subspace(self, name: SubspaceName, norm: Norm | None, *, backward: bool, device: torch.device) -> Subspace:
        """The whole graph's subspace, restricted to the destinations."""
        rows = self.nodes[: len(self.incoming)]
        return self.whole.subspace(name, norm, backward=backward).at(rows, device)
