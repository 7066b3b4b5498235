"""`Graph`: a DGLGraph, and the operators that convolutions are made of."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from zoo.dgl_backend import dgl, has_cuda
from zoo.errors import BuildError
from zoo.graphs.dgl_kernel import DGLKernel
from zoo.graphs.eigenvalue import second_eigenvalue
from zoo.graphs.kernel import Kernel, KernelName, Norm, Structure, SubspaceName
from zoo.graphs.operators import EdgeAdd, EdgeSoftmax, EdgeSum, NeighbourSum, WeightedSum
from zoo.graphs.rows import Rows
from zoo.graphs.segments import graph_ids, segment_mean, segment_sum
from zoo.graphs.subspace import Constant, Subspace, degree_subspace, limit_subspace
from zoo.graphs.torch_kernel import TorchKernel


class Graph:
    """A directed graph of one node type, or a DGL block, on one device.

    What depends on the graph alone is computed on first use and kept. Edges are ordered by DGL's edge ids. All
    operators take float tensors on the graph's device and are differentiable any number of times; half-precision input
    is computed in float32 and cast back.

    kernel: "dgl", "torch", or "auto" for DGL where it has a kernel for the device and PyTorch elsewhere.
    edge_features: what the edges carry, [edges, columns] by edge id, or None. sizes: of a batch of graphs whose nodes
    are numbered through, int64 [graphs], the nodes of each; None for one graph.
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
    ) -> None:
        if len(graph.canonical_etypes) != 1 or not (graph.is_homogeneous or graph.is_block):
            raise BuildError(
                f"graph — has node types {graph.ntypes} and edge types {graph.etypes} — expected one of each — "
                "dgl.to_homogeneous(graph)"
            )
        self.device = torch.device(graph.device if device is None else device)
        self._made_dgl: Any = graph.to(self.device) if self.device.type == "cpu" or has_cuda() else graph
        self._whole: Graph | None = None
        self.nodes: int = graph.num_dst_nodes()
        self.sources: int = graph.num_src_nodes()
        self.edges: int = graph.num_edges()
        self.edge_features = None if edge_features is None else edge_features.to(self.device)
        self.sizes = None if sizes is None else sizes.to(self.device)
        self._made_graph_ids: Tensor | None = None
        self._is_block: bool = graph.is_block
        self.kernel, self.kernel_reason = _choose(kernel, self.device)
        self._asked: KernelName = kernel
        self._made_structure: Structure | None = None
        self._made_kernel: Kernel | None = None
        self._made_neighbours: Tensor | None = None
        self._scales: dict[tuple[Norm, torch.dtype], tuple[Tensor | None, Tensor | None]] = {}
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
        """The graph on a device; itself if it is there already."""
        target = torch.device(device)
        if target == self.device or (target.type == self.device.type and target.index is None):
            return self
        return Graph(self.dgl, kernel=self._asked, device=target, edge_features=self.edge_features, sizes=self.sizes)

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

    def thinned(self, keep: Tensor) -> "Graph":
        """The graph of the edges where keep, bool [edges], is True, in their order; the nodes stay.

        Its degrees are its own, and so are the weights in Â; what counts as smooth (`subspace`) stays that of the whole
        graph. Index arrays are picked from this graph's without sorting: a new one costs a few passes over the edges.
        """
        thin = copy.copy(self)
        thin._whole = self.whole
        thin._made_dgl = thin._made_neighbours = None
        thin._made_structure = self.structure.thinned(keep)
        thin._made_kernel = TorchKernel(thin._made_structure)  # DGL would sort the edges first
        thin._scales = {}
        thin.edges = thin._made_structure.edges
        thin.edge_features = None if self.edge_features is None else self.edge_features[keep]
        return thin

    @property
    def structure(self) -> Structure:
        """The graph's index arrays on its device."""
        if self._made_structure is None:
            self._made_structure = _structure(self.dgl).to(self.device)
        return self._made_structure

    @property
    def neighbours(self) -> Tensor:
        """How many in-edges of each node come from other nodes, int64 [nodes]: the in-degree without loops."""
        if self._made_neighbours is None:
            src, dst = self.structure.src.long(), self.structure.dst.long()
            loops = torch.bincount(dst[src == dst], minlength=self.nodes)
            self._made_neighbours = self.structure.incoming.lengths - loops
        return self._made_neighbours

    def propagate(self, x: Tensor, norm: Norm = "both") -> Tensor:
        """Â x: each node's sum over its in-neighbours, weighted by degrees.

        x: [sources, …]; the result is [nodes, …]. With d⁻ the in-degree of the destination and d⁺ the out-degree of the
        source, both at least 1, the weight of an edge is 1/√(d⁻d⁺) for "both" (Kipf & Welling, ICLR 2017, eq. 2, where
        the graph has self-loops), 1/d⁻ for "right" (the mean), 1/d⁺ for "left", 1 for "sum". Isolated nodes give 0.
        """
        self._check("propagate", x, self.sources)
        flat = _flat(x)
        before, after = self._scaling(norm, flat.dtype)
        y: Any = NeighbourSum.apply(flat, self._kernel, before, after, False)
        return y.reshape(self.nodes, *x.shape[1:]).to(x.dtype)

    @property
    def graph_ids(self) -> Tensor:
        """Which graph of the batch each node belongs to, int64 [nodes]; zeros for one graph."""
        if self._made_graph_ids is None:
            sizes = torch.tensor([self.nodes], device=self.device) if self.sizes is None else self.sizes
            self._made_graph_ids = graph_ids(sizes)
        return self._made_graph_ids

    def graph_sum(self, x: Tensor) -> Tensor:
        """Each graph's sum over its nodes; x: [nodes, …], result: [graphs of the batch, …], of one graph [1, …]."""
        return x.sum(dim=0, keepdim=True) if self.sizes is None else segment_sum(x, self.graph_ids, len(self.sizes))

    def graph_mean(self, x: Tensor) -> Tensor:
        """Each graph's mean over its nodes; x: [nodes, …], result: [graphs of the batch, …], of one graph [1, …]."""
        return x.mean(dim=0, keepdim=True) if self.sizes is None else segment_mean(x, self.graph_ids, self.sizes)

    def to_nodes(self, y: Tensor) -> Tensor:
        """Each graph's row of y [graphs, …] at all of its nodes, [nodes, …]; of one graph the row itself, [1, …]."""
        return y if self.sizes is None else y.index_select(0, self.graph_ids)

    def at_edges(self, x: Tensor) -> Tensor:
        """Features at the edges' sources; x: [sources, …], result: [edges, …]."""
        self._check("at_edges", x, self.sources)
        return x.index_select(0, self.structure.src.long())

    def edge_add(self, left: Tensor, right: Tensor) -> Tensor:
        """Per edge left[src] + right[dst]; left: [sources, …], right: [nodes, …], result: [edges, …]."""
        self._check("edge_add", left, self.sources)
        self._check("edge_add", right, self.nodes)
        z: Any = EdgeAdd.apply(_flat(left), _flat(right), self.structure)
        return z.reshape(self.edges, *left.shape[1:]).to(left.dtype)

    def edge_sum(self, values: Tensor) -> Tensor:
        """Each node's sum over its in-edges; values: [edges, …], result: [nodes, …]."""
        self._check("edge_sum", values, self.edges)
        y: Any = EdgeSum.apply(_flat(values), self.structure, False)
        return y.reshape(self.nodes, *values.shape[1:]).to(values.dtype)

    def edge_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of scores [edges, …] over the in-edges of each node."""
        self._check("edge_softmax", scores, self.edges)
        p: Any = EdgeSoftmax.apply(_flat(scores), self.structure)
        return p.reshape(scores.shape).to(scores.dtype)

    def attend(self, values: Tensor, weights: Tensor) -> Tensor:
        """Σ over in-edges of weight times source value.

        values: [sources, heads, d]; weights: [edges, heads]; result: [nodes, heads, d].
        """
        self._check("attend", values, self.sources)
        self._check("attend", weights, self.edges)
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

        norm None, no propagation, has no limit: "limit" is then "plain".
        """
        if self._whole is not None:
            return self._whole.subspace(name, norm, backward=backward)
        key = name, norm, backward
        if key not in self._subspaces:
            if self._is_block:
                raise BuildError("graph.subspace — has no meaning on a sampled block — expected a whole graph")
            if name == "plain" or (name == "limit" and norm is None):
                self._subspaces[key] = Constant()
            elif name == "degree":
                self._subspaces[key] = degree_subspace(self.structure)
            else:
                self._subspaces[key] = limit_subspace(self.structure, norm or "both", backward=backward)
        return self._subspaces[key]

    def at_destinations(self, x: Tensor) -> Tensor:
        """Features at the nodes that are destinations: x [sources, …] to [nodes, …]; on a whole graph, x itself."""
        return x[: self.nodes] if self._is_block else x

    @property
    def _kernel(self) -> Kernel:
        if self._made_kernel is None:
            made = DGLKernel(self.structure, self.dgl) if self.kernel == "dgl" else TorchKernel(self.structure)
            self._made_kernel = made
        return self._made_kernel

    def _scaling(self, norm: Norm, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
        """What to multiply features with before and after the sum over neighbours."""
        key = norm, dtype
        if key not in self._scales:
            both_ways = self.structure.incoming, self.structure.outgoing
            inwards, outwards = (rows.lengths.clamp(min=1).to(dtype)[:, None] for rows in both_ways)
            self._scales[key] = {
                "both": (outwards.rsqrt(), inwards.rsqrt()),
                "right": (None, inwards.reciprocal()),
                "left": (outwards.reciprocal(), None),
                "sum": (None, None),
            }[norm]
        return self._scales[key]

    def _check(self, operator: str, x: Tensor, count: int) -> None:
        if x.shape[0] != count or not x.is_floating_point() or x.device.type != self.device.type:
            raise BuildError(
                f"graph.{operator} — got {x.dtype} {list(x.shape)} on {x.device} — expected a float tensor of "
                f"length {count} on {self.device}"
            )


def _choose(kernel: KernelName, device: torch.device) -> tuple[str, str]:
    """The kernel's name, and why it is that one."""
    supported = device.type == "cpu" or (device.type == "cuda" and has_cuda())
    if kernel == "dgl" and not supported:
        raise BuildError(
            f"kernel — this build of DGL has no kernel for {device.type} — expected a device of: cpu — "
            "kernel=auto or kernel=torch"
        )
    if kernel != "auto":
        return kernel, "asked for"
    if supported:
        return "dgl", f"DGL has kernels for {device.type}"
    return "torch", f"this build of DGL has no kernels for {device.type}"


def _structure(graph: Any) -> Structure:
    src, dst = graph.edges(order="eid")
    sources, nodes = graph.num_src_nodes(), graph.num_dst_nodes()
    incoming, outgoing = _rows(dst, src, nodes, sources), _rows(src, dst, sources, nodes)
    return Structure(incoming, outgoing, *(ends.to(incoming.columns.dtype) for ends in (src, dst)))


def _rows(row: Tensor, column: Tensor, rows: int, columns: int) -> Rows:
    offsets = torch.zeros(rows + 1, dtype=torch.int64, device=row.device)
    torch.cumsum(torch.bincount(row, minlength=rows), 0, out=offsets[1:])
    edges = torch.argsort(row, stable=True)
    return Rows(offsets, column[edges], edges, columns)


def _computed(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _flat(x: Tensor) -> Tensor:
    return _computed(x).reshape(x.shape[0], math.prod(x.shape[1:]))
