"""`Graph`: a graph's edges, and the operators that convolutions are made of."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.engine.kernel import Kernel, KernelName, Scaling
from zoo.engine.kernel_choice import DGLGraph, choose_kernel, make_kernel
from zoo.engine.operators import EdgeAdd, EdgeGather, EdgeSoftmax, EdgeSum
from zoo.engine.propagation import at_least_single, attend, flat, propagate, softmax_sum
from zoo.engine.structure import Structure
from zoo.errors import BuildError
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.sampling_weights import SamplingWeights
from zoo.graphs.segments import graph_ids, segment_max, segment_mean, segment_softmax, segment_sum
from zoo.graphs.shapes import check_carried, check_ends, check_float, check_heads, check_mask
from zoo.graphs.subspace import Constant, Subspace, degree_subspace, limit_subspace, second_eigenvalue
from zoo.graphs.topology import Topology

if TYPE_CHECKING:
    cached_property = property  # which meets a property of a protocol, as far as type checkers know
else:
    from functools import cached_property


class Graph:
    """A directed graph of one node type, or a block (DGL's message-flow graph), on one device; it never changes.

    What depends on the graph alone is computed on first use and kept. Edges are ordered by DGL's edge ids. All
    operators take float tensors on the graph's device and are differentiable any number of times; half-precision input
    is computed in float32 and cast back.

    graph: a DGLGraph, or a `Topology`. kernel: "compiled" (CPU), "triton" (GPU), "dgl", "torch", or "auto" for the
    first of these that the device has; the attribute is the name of the one that was chosen.
    edge_features: what the edges carry, [edges, columns] by edge id, or None. sizes: of a batch of graphs whose nodes
    are numbered consecutively, int64 [graphs], the nodes of each; None for one graph. population: of a sample, what it
    was drawn from; sums over neighbours then estimate those of the whole graph, without bias. whole: of an edge
    subgraph the graph that it is one of.
    Raises: BuildError for a graph of several node or edge types, or a kernel that the device does not have.
    """

    def __init__(
        self,
        graph: DGLGraph | Topology,
        *,
        kernel: KernelName = "auto",
        device: torch.device | str | None = None,
        edge_features: Tensor | None = None,
        sizes: Tensor | None = None,
        population: SamplingWeights | None = None,
        whole: "Graph | None" = None,
    ) -> None:
        self.topology = topology = graph if isinstance(graph, Topology) else Topology.of_graph(graph, device)
        self.nodes, self.sources, self.edges = topology.nodes, topology.sources, topology.edges
        self.device = topology.device
        check_carried(edge_features, self.edges, sizes, self.nodes)
        self.edge_features = None if edge_features is None else edge_features.to(self.device)
        self.sizes = None if sizes is None else sizes.to(self.device)
        self.population = None if population is None else population.to(self.device)
        self.asked: KernelName = kernel
        self.kernel, self.kernel_reason = choose_kernel(kernel, self.device)
        if whole is not None and self.kernel == "dgl":
            self.kernel = "torch"  # DGL would sort the edges first
        self._whole = whole  # not itself: memory of samples is to be free as soon as nobody has them
        self._moved: dict[torch.device, Graph] = {}
        self._scalings: dict[tuple[Norm, torch.dtype], Scaling] = {}
        self._subspaces: dict[tuple[SubspaceName, Norm | None, bool], Subspace] = {}

    @classmethod
    def from_edges(
        cls,
        src: Tensor,
        dst: Tensor,
        nodes: int,
        kernel: KernelName = "auto",
        *,
        edge_features: Tensor | None = None,
        sizes: Tensor | None = None,
    ) -> "Graph":
        """The graph with an edge src[i] → dst[i] for each i, as given: nothing is added or merged.

        src, dst: integer [edges], in 0 … nodes−1. edge_features, sizes: see `Graph`. Raises: BuildError if src or dst
        are not.
        """
        check_ends(src, dst, nodes)
        topology = Topology.of_edges(src, dst, nodes, nodes)
        return cls(topology, kernel=kernel, edge_features=edge_features, sizes=sizes)

    def __repr__(self) -> str:
        return f"<Graph: {self.nodes} nodes, {self.edges} edges, {self.kernel} kernel on {self.device}>"

    def to(self, device: torch.device | str) -> "Graph":
        """The graph on a device; itself if it is there already, and the same one whenever it is asked for."""
        target = torch.device(device)
        if target == self.device or (target.type == self.device.type and target.index is None):
            return self
        if target not in self._moved:
            more: dict[str, Any] = {"sizes": self.sizes, "population": self.population}
            topology = self.topology.to(target)
            self._moved[target] = Graph(topology, kernel=self.asked, edge_features=self.edge_features, **more)
        return self._moved[target]

    def edge_subgraph(self, keep: Tensor) -> "Graph":
        """The graph of the edges where keep, bool [edges], is True, in their order; the nodes stay.

        Its degrees are its own, and so are the weights in Â; of a sample they are those expected of the whole graph,
        its edges dropped alike. What counts as smooth (`subspace`) stays that of the whole graph. Index arrays are
        picked from this graph's without sorting: a new one costs a few passes over the edges.
        """
        check_mask(keep, self.edges)
        topology, population = self.topology.edge_subgraph(keep), self.population
        if population is not None:
            loops = self.topology.loops
            left = topology.edges - int(topology.loops.sum())
            population = population.edge_subgraph(left / max(self.edges - int(loops.sum()), 1), loops)
        features = None if self.edge_features is None else self.edge_features[keep]
        more: dict[str, Any] = {"sizes": self.sizes, "population": population, "whole": self.whole}
        return Graph(topology, kernel=self.asked, edge_features=features, **more)

    @property
    def whole(self) -> "Graph":
        """Of an edge subgraph the graph that it is one of; else the graph itself."""
        return self if self._whole is None else self._whole

    def thinned(self, keep: Tensor) -> "Graph":
        """`edge_subgraph`, by its name until 0.1.0."""
        return self.edge_subgraph(keep)

    @property
    def dgl(self) -> DGLGraph:
        """The DGLGraph: on the graph's device where DGL has kernels for it, else on the CPU."""
        return self.topology.dgl

    @property
    def structure(self) -> Structure:
        """The graph's index arrays on its device."""
        return self.topology.structure

    @cached_property
    def backend(self) -> Kernel:
        """The kernel over the index arrays."""
        return make_kernel(self.kernel, self.structure, lambda: self.dgl)

    @property
    def in_degrees(self) -> Tensor:
        """The number of edges that end at each node, [nodes]; of a sample, in the whole graph."""
        return self.structure.incoming.lengths if self.population is None else self.population.incoming

    @property
    def out_degrees(self) -> Tensor:
        """The number of edges that start at each source, [sources]; of a sample, in the whole graph."""
        return self.structure.outgoing.lengths if self.population is None else self.population.outgoing

    @cached_property
    def neighbours(self) -> Tensor:
        """The in-degree without loops, [nodes]."""
        return self.in_degrees - self.topology.loops

    @property
    def within(self) -> "Graph":
        """Of a sampled block the graph of the edges that join two of its destinations, on any other graph itself."""
        return self._among_destinations if self.topology.is_block else self

    @cached_property
    def _among_destinations(self) -> "Graph":
        src, dst = self.structure.src, self.structure.dst
        inner = src < self.nodes
        topology = Topology.of_edges(src[inner].long(), dst[inner].long(), self.nodes, self.nodes)
        return Graph(topology, kernel=self.asked, population=self.population and self.population.of_destinations())

    @cached_property
    def graph_ids(self) -> Tensor:
        """The number of each node's graph in the batch, int64 [nodes]; zeros for one graph."""
        sizes = torch.tensor([self.nodes], device=self.device) if self.sizes is None else self.sizes
        return graph_ids(sizes, self.nodes)

    def propagate(self, x: Tensor, norm: Norm = "both") -> Tensor:
        """Â x, each node's sum over its in-neighbours weighted by degrees; x: [sources, …], the result: [nodes, …].

        See `zoo.engine.propagate`. On a sample it estimates that of the whole graph, see `SamplingWeights`.
        """
        self._check("propagate", x, self.sources)
        return propagate(self, x, norm)

    def graph_sum(self, x: Tensor) -> Tensor:
        """Each graph's sum over its nodes; x: [nodes, …], result: [graphs of the batch, …], of one graph [1, …]."""
        return x.sum(dim=0, keepdim=True) if self.sizes is None else segment_sum(x, self.graph_ids, len(self.sizes))

    def graph_mean(self, x: Tensor) -> Tensor:
        """Each graph's mean over its nodes; x: [nodes, …], result: [graphs of the batch, …], of one graph [1, …]."""
        return x.mean(dim=0, keepdim=True) if self.sizes is None else segment_mean(x, self.graph_ids, self.sizes)

    def graph_max(self, x: Tensor) -> Tensor:
        """Each graph's largest over its nodes; x: [nodes, …], result: [graphs of the batch, …], of one graph [1, …]."""
        return x.amax(dim=0, keepdim=True) if self.sizes is None else segment_max(x, self.graph_ids, self.sizes)

    def graph_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of scores [nodes, …] over the nodes of each graph."""
        return scores.softmax(dim=0) if self.sizes is None else segment_softmax(scores, self.graph_ids, self.sizes)

    def to_nodes(self, y: Tensor) -> Tensor:
        """Each graph's row of y [graphs, …] at all of its nodes, [nodes, …]; of one graph the row itself, [1, …]."""
        return y if self.sizes is None else y.index_select(0, self.graph_ids)

    def at_edges(self, x: Tensor) -> Tensor:
        """Features at the edges' sources; x: [sources, …], result: [edges, …]."""
        self._check("at_edges", x, self.sources)
        z: Any = EdgeGather.apply(flat(x), self.structure, True)
        return z.reshape(self.edges, *x.shape[1:]).to(x.dtype)

    def edge_add(self, left: Tensor, right: Tensor) -> Tensor:
        """Per edge left[src] + right[dst]; left: [sources, …], right: [nodes, …], result: [edges, …]."""
        self._check("edge_add", left, self.sources)
        self._check("edge_add", right, self.nodes)
        z: Any = EdgeAdd.apply(flat(left), flat(right), self.structure)
        return z.reshape(self.edges, *left.shape[1:]).to(left.dtype)

    def edge_sum(self, values: Tensor) -> Tensor:
        """Each node's sum over its in-edges; values: [edges, …], result: [nodes, …].

        On a sample the result estimates that of the whole graph, see `SamplingWeights`.
        """
        self._check("edge_sum", values, self.edges)
        wide, counts = flat(values), self._sampled_counts[1]
        y: Any = EdgeSum.apply(wide if counts is None else wide * counts.to(wide)[:, None], self.structure, False)
        return y.reshape(self.nodes, *values.shape[1:]).to(values.dtype)

    def edge_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of scores [edges, …] over the in-edges of each node.

        On a sample exp(score) counts ρ times, see `SamplingWeights`: numerator and denominator of a sum weighted by it
        are both without bias, so that their ratio tends to that of the whole graph.
        """
        self._check("edge_softmax", scores, self.edges)
        p: Any = EdgeSoftmax.apply(self._counted(flat(scores)), self.structure)
        return p.reshape(scores.shape).to(scores.dtype)

    def softmax_sum(self, values: Tensor, scores: Tensor, factors: Tensor | None = None) -> Tensor:
        """`attend` by the `edge_softmax` of scores [edges, heads], times factors [edges, heads] that have no gradient.

        In one, the gradient is exact where neighbours are alike and large; of the two, one after the other, it is not.
        """
        self._check("softmax_sum", values, self.sources)
        self._check("softmax_sum", scores, self.edges)
        return softmax_sum(self, values, self._counted(at_least_single(scores)), factors)

    def attend(self, values: Tensor, weights: Tensor) -> Tensor:
        """Σ over in-edges of weight times source value.

        values: [sources, heads, d]; weights: [edges, heads]; result: [nodes, heads, d].
        """
        self._check("attend", values, self.sources)
        self._check("attend", weights, self.edges)
        check_heads(values, weights)
        return attend(self, values, weights)

    def second_eigenvalue(self, norm: Norm = "both") -> float:
        """λ, the largest |eigenvalue| of the propagation off its limit subspace; see `zoo.graphs.subspace`.

        Raises: BuildError if the propagation is not symmetric.
        """
        return second_eigenvalue(self, norm)

    def subspace(self, name: SubspaceName, norm: Norm | None = "both", *, backward: bool = False) -> Subspace:
        """The features that count as smooth: "plain" equal at all nodes, "degree" proportional to √d, "limit" where
        propagation by `norm` (or, `backward`, its transpose) leads; see `zoo.graphs.subspace`.

        norm None, no propagation, has no limit: "limit" is then "plain". Of a sample, those of the whole graph
        restricted to the destinations: features that are smooth in the whole are smooth in each sample of it.
        """
        if self._whole is not None:
            return self._whole.subspace(name, norm, backward=backward)
        key = name, norm, backward
        if key not in self._subspaces:
            if self.population is not None:
                made = self.population.subspace(name, norm, backward=backward, device=self.device)
                self._subspaces[key] = made
            elif self.topology.is_block:
                raise BuildError("graph.subspace — has no meaning on a sampled block — expected a whole graph")
            elif name == "plain" or (name == "limit" and norm is None):
                self._subspaces[key] = Constant()
            elif name == "degree":
                self._subspaces[key] = degree_subspace(self.structure)
            else:
                self._subspaces[key] = limit_subspace(self.structure, norm or "both", backward=backward)
        return self._subspaces[key]

    def at_block(self, index: int, of: int) -> "Graph":
        """The graph that block `index` of a network of so many runs on: this one, other than of a `BlockGraphs`."""
        return self

    def each(self, change: Callable[["Graph"], "Graph"]) -> "Graph":
        """The graph changed; of a `BlockGraphs`, each of its graphs is."""
        return change(self)

    def at_destinations(self, x: Tensor) -> Tensor:
        """Features at the nodes that are destinations: x [sources, …] to [nodes, …]; on a whole graph, x itself."""
        return x[: self.nodes] if self.topology.is_block else x

    def _counted(self, scores: Tensor) -> Tensor:
        """On a sample with the logarithm of what each edge counts; scores: [edges, heads]."""
        counts = self._sampled_counts[1]
        return scores if counts is None else scores + counts.log().to(scores)[:, None]

    @cached_property
    def _sampled_counts(self) -> tuple[Tensor | None, Tensor | None]:
        """Of a sample ρ of each node, [nodes], and what each edge counts, [edges]: ρ, or 1 for a loop; else None."""
        if self.population is None:
            return None, None
        rho = self.population.inverse_probability(self.structure, self.topology.loops)
        src, dst = self.structure.src, self.structure.dst
        return rho, None if rho is None else torch.where(src == dst, 1.0, rho[dst.long()])

    def scaling(self, norm: Norm, dtype: torch.dtype) -> Scaling:
        """The weights of a propagation, as factors before and after an unweighted sum."""
        key = norm, dtype
        if key not in self._scalings:
            made, rho = Scaling.by_degrees(norm, self.in_degrees, self.out_degrees, dtype), self._sampled_counts[0]
            self._scalings[key] = made if rho is None else made.of_sample(rho.to(dtype), self.topology.loops)
        return self._scalings[key]

    def _check(self, operator: str, x: Tensor, count: int) -> None:
        check_float(operator, x, count, self.device)
