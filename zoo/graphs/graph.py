"""`Graph`: a DGLGraph, and the operators that convolutions are made of."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.dgl_backend import dgl, has_cuda
from zoo.engine.kernel import Kernel, KernelName, Structure
from zoo.engine.kernel_choice import choose_kernel, make_kernel
from zoo.engine.operators import EdgeAdd, EdgeGather, EdgeSoftmax, EdgeSum, NeighbourSum, SoftmaxSum, WeightedSum
from zoo.errors import BuildError
from zoo.graph_like import Norm, SubspaceName
from zoo.graphs.eigenvalue import second_eigenvalue
from zoo.graphs.sampling_weights import SamplingWeights
from zoo.graphs.scaling import Scaling, by_degrees, of_sample
from zoo.graphs.segments import graph_ids, segment_max, segment_mean, segment_softmax, segment_sum
from zoo.graphs.shapes import check_carried, check_float, check_heads, check_mask
from zoo.graphs.subspace import Constant, Subspace, degree_subspace, limit_subspace


class Graph:
    """A directed graph of one node type, or a DGL block, on one device.

    What depends on the graph alone is computed on first use and kept. Edges are ordered by DGL's edge ids. All
    operators take float tensors on the graph's device and are differentiable any number of times; half-precision input
    is computed in float32 and cast back.

    kernel: "compiled" (CPU), "dgl", "torch", or "auto" for the first of these that the device has.
    edge_features: what the edges carry, [edges, columns] by edge id, or None. sizes: of a batch of graphs whose nodes
    are numbered through, int64 [graphs], the nodes of each; None for one graph. population: of a sample, what it was
    drawn from; sums over neighbours then estimate those of the whole graph, without bias.
    Raises: BuildError for a graph of several node or edge types, or a kernel that the device does not have.
    """

    def __init__(
        self,
        graph: Any,
        *,
        kernel: KernelName = "auto",
        device: torch.device | str | None = None,
        edge_features: Tensor | None = None,
        sizes: Tensor | None = None,
        population: SamplingWeights | None = None,
    ) -> None:
        if len(graph.canonical_etypes) != 1 or not (graph.is_homogeneous or graph.is_block):
            raise BuildError(
                f"graph — has node types {graph.ntypes} and edge types {graph.etypes} — expected one of each — "
                "dgl.to_homogeneous(graph)"
            )
        self.device = torch.device(graph.device if device is None else device)
        moved = graph.to(self.device) if self.device.type == "cpu" or has_cuda() else graph
        self._made_dgl: Any = moved.local_var()  # edges that its owner adds later are not ours
        self._whole: Graph | None = None
        self.nodes: int = graph.num_dst_nodes()
        self.sources: int = graph.num_src_nodes()
        self.edges: int = graph.num_edges()
        check_carried(edge_features, self.edges, sizes, self.nodes)
        self.edge_features = None if edge_features is None else edge_features.to(self.device)
        self.sizes = None if sizes is None else sizes.to(self.device)
        self._made_graph_ids: Tensor | None = None
        self.population = None if population is None else population.to(self.device)
        self._is_block: bool = graph.is_block
        self.kernel, self.kernel_reason = choose_kernel(kernel, self.device)
        self.asked: KernelName = kernel
        self._made_structure: Structure | None = None
        self._made_kernel: Kernel | None = None
        self._made_neighbours: Tensor | None = None
        self._scales: dict[tuple[Norm, torch.dtype], Scaling] = {}
        self._chances: tuple[Tensor | None, Tensor | None] | None = None
        self._made_within: Graph | None = None
        self._moved: dict[torch.device, Graph] = {}
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
        if src.shape != dst.shape or src.dim() != 1:
            raise BuildError(
                f"graph — src {list(src.shape)} and dst {list(dst.shape)} differ — expected two vectors of equal length"
            )
        if len(src):
            low, high = (int(end) for end in torch.cat([src, dst]).aminmax())
            if low < 0 or high >= nodes:
                raise BuildError(f"graph — edges join nodes {low} … {high} — expected 0 … {nodes - 1} ({nodes} nodes)")
        made = dgl.graph((src, dst), num_nodes=nodes)
        return cls(made, kernel=kernel, edge_features=edge_features, sizes=sizes)

    def to(self, device: torch.device | str) -> "Graph":
        """The graph on a device; itself if it is there already, and the same one whenever it is asked for."""
        target = torch.device(device)
        if target == self.device or (target.type == self.device.type and target.index is None):
            return self
        if target not in self._moved:
            more: dict[str, Any] = {"sizes": self.sizes, "population": self.population}
            moved = Graph(self.dgl, kernel=self.asked, device=target, edge_features=self.edge_features, **more)
            self._moved[target] = moved
        return self._moved[target]

    def __repr__(self) -> str:
        return f"<Graph: {self.nodes} nodes, {self.edges} edges, {self.kernel} kernel on {self.device}>"

    @property
    def dgl(self) -> Any:
        """The DGLGraph: on the graph's device where DGL has kernels for it, else on the CPU."""
        if self._made_dgl is None:  # of a thinned graph, which does without one
            src, dst = self.structure.src, self.structure.dst
            made = (
                dgl.create_block((src, dst), num_src_nodes=self.sources, num_dst_nodes=self.nodes)
                if self._is_block
                else dgl.graph((src, dst), num_nodes=self.nodes)
            )
            self._made_dgl = made if self.device.type == "cpu" or has_cuda() else made.to("cpu")
        return self._made_dgl

    @property
    def whole(self) -> "Graph":
        """The graph that this one was thinned from; itself if it was not."""
        return self if self._whole is None else self._whole

    def edge_subgraph(self, keep: Tensor) -> "Graph":
        """The graph of the edges where keep, bool [edges], is True, in their order; the nodes stay.

        Its degrees are its own, and so are the weights in Â; of a sample they are those expected of the whole graph
        thinned alike. What counts as smooth (`subspace`) stays that of the whole graph. Index arrays are picked from
        this graph's without sorting: a new one costs a few passes over the edges.
        """
        check_mask(keep, self.edges)
        thin = copy.copy(self)
        thin._whole = self.whole
        thin._made_dgl = thin._made_neighbours = None
        thin._made_structure = self.structure.edge_subgraph(keep)
        if thin.kernel == "dgl":
            thin.kernel = "torch"  # DGL would sort the edges first
        thin._made_kernel = None
        thin._scales, thin._chances = {}, None
        thin._made_within, thin._moved = None, {}
        if self.population is not None:
            others = self.edges - int(self._loops.sum()), thin._made_structure.edges - int(thin._loops.sum())
            thin.population = self.population.edge_subgraph(others[1] / max(others[0], 1), self._loops)
        thin.edges = thin._made_structure.edges
        thin.edge_features = None if self.edge_features is None else self.edge_features[keep]
        return thin

    @property
    def structure(self) -> Structure:
        """The graph's index arrays on its device."""
        if self._made_structure is None:
            src, dst = self.dgl.edges(order="eid")
            self._made_structure = Structure.of(src, dst, self.sources, self.nodes).to(self.device)
        return self._made_structure

    @property
    def in_degrees(self) -> Tensor:
        """How many edges end at each node, [nodes]; of a sample, in the whole graph."""
        return self.structure.incoming.lengths if self.population is None else self.population.incoming

    @property
    def out_degrees(self) -> Tensor:
        """How many edges start at each source, [sources]; of a sample, in the whole graph."""
        return self.structure.outgoing.lengths if self.population is None else self.population.outgoing

    @property
    def neighbours(self) -> Tensor:
        """How many in-edges of each node come from other nodes, [nodes]: the in-degree without loops."""
        if self._made_neighbours is None:
            self._made_neighbours = self.in_degrees - self._loops
        return self._made_neighbours

    @property
    def within(self) -> "Graph":
        """Of a sampled block the graph of the edges that join two of its destinations, on any other graph itself."""
        if not self._is_block:
            return self
        if self._made_within is None:
            src, dst = self.structure.src.long(), self.structure.dst.long()
            keep = src < self.nodes
            inner = dgl.graph((src[keep].cpu(), dst[keep].cpu()), num_nodes=self.nodes)
            population = self.population and self.population.of_destinations()
            self._made_within = Graph(inner, kernel=self.asked, device=self.device, population=population)
        return self._made_within

    def propagate(self, x: Tensor, norm: Norm = "both") -> Tensor:
        """Â x: each node's sum over its in-neighbours, weighted by degrees.

        x: [sources, …]; the result is [nodes, …]. With d⁻ the in-degree of the destination and d⁺ the out-degree of the
        source, both at least 1, the weight of an edge is 1/√(d⁻d⁺) for "both" (Kipf & Welling, ICLR 2017, eq. 2, where
        the graph has self-loops), 1/d⁻ for "right" (the mean), 1/d⁺ for "left", 1 for "sum". Isolated nodes give 0.
        On a sample the result estimates that of the whole graph, see `SamplingWeights`.
        """
        self._check("propagate", x, self.sources)
        flat = _flat(x)
        before, after, loops = self._scaling(norm, flat.dtype)
        y: Any = NeighbourSum.apply(flat, self._kernel, before, after, False)
        if loops is not None:
            y = torch.addcmul(y, loops, self.at_destinations(flat))
        return y.reshape(self.nodes, *x.shape[1:]).to(x.dtype)

    @property
    def graph_ids(self) -> Tensor:
        """Which graph of the batch each node belongs to, int64 [nodes]; zeros for one graph."""
        if self._made_graph_ids is None:
            sizes = torch.tensor([self.nodes], device=self.device) if self.sizes is None else self.sizes
            self._made_graph_ids = graph_ids(sizes, self.nodes)
        return self._made_graph_ids

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
        z: Any = EdgeGather.apply(_flat(x), self.structure, True)
        return z.reshape(self.edges, *x.shape[1:]).to(x.dtype)

    def edge_add(self, left: Tensor, right: Tensor) -> Tensor:
        """Per edge left[src] + right[dst]; left: [sources, …], right: [nodes, …], result: [edges, …]."""
        self._check("edge_add", left, self.sources)
        self._check("edge_add", right, self.nodes)
        z: Any = EdgeAdd.apply(_flat(left), _flat(right), self.structure)
        return z.reshape(self.edges, *left.shape[1:]).to(left.dtype)

    def edge_sum(self, values: Tensor) -> Tensor:
        """Each node's sum over its in-edges; values: [edges, …], result: [nodes, …].

        On a sample the result estimates that of the whole graph, see `SamplingWeights`.
        """
        self._check("edge_sum", values, self.edges)
        flat, chances = _flat(values), self._inverse_chances[1]
        y: Any = EdgeSum.apply(flat if chances is None else flat * chances.to(flat)[:, None], self.structure, False)
        return y.reshape(self.nodes, *values.shape[1:]).to(values.dtype)

    def edge_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of scores [edges, …] over the in-edges of each node.

        On a sample exp(score) counts ρ times, see `SamplingWeights`: numerator and denominator of a sum weighted by it
        are both without bias, so that their ratio tends to that of the whole graph.
        """
        self._check("edge_softmax", scores, self.edges)
        p: Any = EdgeSoftmax.apply(self._counted(_flat(scores)), self.structure)
        return p.reshape(scores.shape).to(scores.dtype)

    def softmax_sum(self, values: Tensor, scores: Tensor, factors: Tensor | None = None) -> Tensor:
        """`attend` by the `edge_softmax` of scores [edges, heads], times factors [edges, heads] that have no gradient.

        In one, the gradient is exact where neighbours are alike and large; of the two, one after the other, it is not.
        """
        self._check("softmax_sum", values, self.sources)
        self._check("softmax_sum", scores, self.edges)
        x = _computed(values)
        factors = None if factors is None else factors.to(x.dtype)
        y: Any = SoftmaxSum.apply(x, self._counted(scores.to(x.dtype)), factors, self._kernel)[0]  # pyright: ignore
        return y.to(values.dtype)

    def attend(self, values: Tensor, weights: Tensor) -> Tensor:
        """Σ over in-edges of weight times source value.

        values: [sources, heads, d]; weights: [edges, heads]; result: [nodes, heads, d].
        """
        self._check("attend", values, self.sources)
        self._check("attend", weights, self.edges)
        check_heads(values, weights)
        x = _computed(values)
        y: Any = WeightedSum.apply(x, weights.to(x.dtype), self._kernel, False)
        return y.to(values.dtype)

    def second_eigenvalue(self, norm: Norm = "both") -> float:
        """λ, the largest |eigenvalue| of the propagation off its limit subspace; see `zoo.graphs.eigenvalue`.

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
            elif self._is_block:
                raise BuildError("graph.subspace — has no meaning on a sampled block — expected a whole graph")
            elif name == "plain" or (name == "limit" and norm is None):
                self._subspaces[key] = Constant()
            elif name == "degree":
                self._subspaces[key] = degree_subspace(self.structure)
            else:
                self._subspaces[key] = limit_subspace(self.structure, norm or "both", backward=backward)
        return self._subspaces[key]

    def at_block(self, index: int, of: int) -> "Graph":
        """What block `index` of a network of so many runs on: all on the one graph, other than of a `BlockGraphs`."""
        return self

    def each(self, change: Callable[["Graph"], "Graph"]) -> "Graph":
        """The graph changed; of a `BlockGraphs`, each of its graphs is."""
        return change(self)

    def at_destinations(self, x: Tensor) -> Tensor:
        """Features at the nodes that are destinations: x [sources, …] to [nodes, …]; on a whole graph, x itself."""
        return x[: self.nodes] if self._is_block else x

    def _counted(self, scores: Tensor) -> Tensor:
        """On a sample with the logarithm of what each edge counts; scores: [edges, heads]."""
        chances = self._inverse_chances[1]
        return scores if chances is None else scores + chances.log().to(scores)[:, None]

    @property
    def _kernel(self) -> Kernel:
        if self._made_kernel is None:
            self._made_kernel = make_kernel(self.kernel, self.structure, lambda: self.dgl)
        return self._made_kernel

    @property
    def _loops(self) -> Tensor:
        """How many loops each node has, int64 [nodes]; destinations are the first sources, so these are their own."""
        src, dst = self.structure.src, self.structure.dst
        return torch.bincount(dst[src == dst].long(), minlength=self.nodes)

    @property
    def _inverse_chances(self) -> tuple[Tensor | None, Tensor | None]:
        """Of a sample ρ of each node, [nodes], and what each edge counts, [edges]: ρ, or 1 for a loop; else None."""
        if self.population is None:
            return None, None
        if self._chances is None:
            rho = self.population.inverse_chance(self.structure, self._loops)
            src, dst = self.structure.src, self.structure.dst
            self._chances = rho, None if rho is None else torch.where(src == dst, 1.0, rho[dst.long()])
        return self._chances

    def _scaling(self, norm: Norm, dtype: torch.dtype) -> Scaling:
        key = norm, dtype
        if key not in self._scales:
            made, rho = by_degrees(norm, self.in_degrees, self.out_degrees, dtype), self._inverse_chances[0]
            self._scales[key] = made if rho is None else of_sample(made, rho.to(dtype), self._loops)
        return self._scales[key]

    def _check(self, operator: str, x: Tensor, count: int) -> None:
        check_float(operator, x, count, self.device)


def _computed(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _flat(x: Tensor) -> Tensor:
    return _computed(x).reshape(x.shape[0], math.prod(x.shape[1:]))
