"""Subspaces of node features that smoothing leaves alone, and the rate at which propagation leads there."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse import csgraph
from torch import Tensor

from zoo.engine.structure import Structure, csr_matrix
from zoo.errors import BuildError
from zoo.graph_like import GraphLike, Norm, SubspaceName

# A share of the norm; at 0.99 a fiftieth of the square is left, and the difference of squares loses two digits.
_MOSTLY_WITHIN = 0.99
# Up to so many nodes a dense matrix costs less than the Lanczos iteration; beyond, so many Lanczos vectors.
_DENSE, _LANCZOS = 256, 64
_PERRON_STEPS, _PERRON_TOLERANCE = 10_000, 1e-13


class Spectral(GraphLike, Protocol):
    """A graph with its subspaces."""

    def subspace(self, name: SubspaceName, norm: Norm | None = "both", *, backward: bool = False) -> "Subspace":
        """Features that count as smooth."""
        ...


class Subspace(ABC):
    """A subspace of R^nodes, applied to every column of a matrix [nodes, d]."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The remainder off the subspace, [nodes, d], and the coordinates within it, [k, d].

        Their squared norms add up to that of x (Pythagoras).
        """
        coordinates = self.coordinates(x)
        return self.remainder(x, coordinates), coordinates

    def norms(self, x: Tensor, whole: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The norms of x off the subspace and within it, scalars; whole: ‖x‖_F, where it is known."""
        coordinates = self.coordinates(x)
        within = torch.linalg.vector_norm(coordinates)
        # Where much lies off it, ‖X‖² − ‖PX‖² is as good as the norm of the difference, and needs no matrix. To tell,
        # the number has to be looked at: free on a CPU, a wait elsewhere.
        if x.device.type == "cpu":
            size, part = float(torch.linalg.vector_norm(x) if whole is None else whole), float(within)
            if part < _MOSTLY_WITHIN * size < math.inf:
                return torch.tensor(math.sqrt((size - part) * (size + part)), dtype=x.dtype), within
        return torch.linalg.vector_norm(self.remainder(x, coordinates)), within

    @abstractmethod
    def coordinates(self, x: Tensor) -> Tensor:
        """The coordinates of x [nodes, d] in an orthonormal basis of the subspace, [k, d]."""

    @abstractmethod
    def remainder(self, x: Tensor, coordinates: Tensor) -> Tensor:
        """The part of x off the subspace, [nodes, d], given its coordinates."""

    @abstractmethod
    def at(self, rows: Tensor, device: torch.device) -> "Subspace":
        """The subspace at some of the nodes, on a device; rows: int64 [k], nodes."""


class Constant(Subspace):
    """The span of the all-ones vector: what lies off it is X − 1γ_X, of norm μ(X) (arXiv 2410.04824)."""

    def coordinates(self, x: Tensor) -> Tensor:
        """√n times the mean row."""
        return x.mean(dim=0, keepdim=True) * len(x) ** 0.5

    def remainder(self, x: Tensor, coordinates: Tensor) -> Tensor:
        """Take the mean row out."""
        return x - x.mean(dim=0, keepdim=True)

    def norms(self, x: Tensor, whole: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both norms, by the one kernel that gives a column's mean and variance and makes no matrix."""
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        root = len(x) ** 0.5
        # Two short vectors: a norm is one small operation, the root of a sum three.
        return torch.linalg.vector_norm(variance.sqrt_()) * root, torch.linalg.vector_norm(mean) * root

    def at(self, rows: Tensor, device: torch.device) -> Subspace:
        """The span of the all-ones vector of that length."""
        return self


class Groups(Subspace):
    """The span of one weighted indicator for each group of nodes.

    group: integer [nodes], 0 … k−1. weight: [nodes]; only the proportions within a group count, and nodes of weight 0
    (isolated ones, which propagation maps to 0) lie off the subspace with all they have.
    """

    def __init__(self, group: Tensor, weight: Tensor) -> None:
        group, weight = group.long(), weight.double()
        count = int(group.max()) + 1 if len(group) else 0
        length = torch.zeros(count, dtype=torch.float64, device=weight.device).index_add_(0, group, weight.square())
        self.count = count
        self.group = group
        self.weight = weight / length.sqrt().clamp_min(torch.finfo(torch.float64).tiny)[group]
        self._parts: dict[torch.dtype, _Parts] = {}

    def coordinates(self, x: Tensor) -> Tensor:
        """One row for each group."""
        return self._of(x.dtype).rows @ x

    def remainder(self, x: Tensor, coordinates: Tensor) -> Tensor:
        """Take the projection onto the groups' vectors out."""
        parts = self._of(x.dtype)
        if self.count == 1:
            return torch.addmm(x, parts.weight, coordinates, alpha=-1)
        within = coordinates.index_select(0, parts.group).mul_(parts.weight)
        return torch.sub(x, within, out=within)

    def at(self, rows: Tensor, device: torch.device) -> Subspace:
        """The groups' vectors at these nodes."""
        rows = rows.to(self.group.device)
        return Groups(self.group[rows].to(device), self.weight[rows].to(device))

    def _of(self, dtype: torch.dtype) -> "_Parts":
        if dtype not in self._parts:
            weight = self.weight.to(dtype)
            order = torch.argsort(self.group, stable=True)
            offsets = torch.zeros(self.count + 1, dtype=torch.int64, device=weight.device)
            torch.cumsum(torch.bincount(self.group, minlength=self.count), 0, out=offsets[1:])
            shape = (self.count, len(weight))
            rows = csr_matrix(offsets, order, weight[order], shape) if self.count > 1 else weight[None]
            self._parts[dtype] = _Parts(rows, self.group, weight[:, None])
        return self._parts[dtype]


@dataclass(frozen=True)
class _Parts:
    rows: Tensor
    group: Tensor
    weight: Tensor


def degree_subspace(structure: Structure) -> Groups:
    """The span of the one vector √d over all nodes, d the in-degree as the graph has it (self-loops counted)."""
    degree = structure.incoming.lengths.double()
    return Groups(torch.zeros_like(degree, dtype=torch.int64), degree.sqrt())


def limit_subspace(structure: Structure, norm: Norm, *, backward: bool) -> Groups:
    """The limit of repeated propagation Â X (or, `backward`, Âᵀ G), up to scale: one vector for each group of nodes.

    The groups are the connected components; a bipartite component without self-loops makes two, its colour classes,
    as Â then has the eigenvalue −1 beside 1 (of equal size). Within a group the vector is, with d the degree:

    | norm | Â X | Âᵀ G |
    |---|---|---|
    | both | √d | √d |
    | right (means; attention at equal weights) | 1 | d |
    | left | d | 1 |
    | sum | Perron vector | Perron vector |

    Nodes without edges in that direction are mapped to 0 and get weight 0. Exact for undirected graphs (every edge has
    its reverse). On directed ones the components are the weakly connected, d is the in-degree forwards and the
    out-degree backwards, and the subspace is an approximation.
    """
    incoming, outgoing = structure.incoming.lengths, structure.outgoing.lengths
    degree = (outgoing if backward else incoming).double()
    edges = np.ones(structure.edges), (structure.dst.cpu().numpy(), structure.src.cpu().numpy())
    adjacency: Any = sp.coo_matrix(edges, shape=(len(degree), len(degree))).tocsr()
    weights: dict[Norm, Callable[[], Tensor]] = {
        "both": degree.sqrt,
        "right": (lambda: degree) if backward else (lambda: (degree > 0).double()),
        "left": (lambda: (degree > 0).double()) if backward else (lambda: degree),
        "sum": lambda: _perron(adjacency.T.tocsr() if backward else adjacency).to(degree) * (degree > 0),
    }
    return Groups(_groups(adjacency).to(degree.device), weights[norm]())


def _groups(adjacency: Any) -> Tensor:
    """Components, bipartite ones taken apart into their two colour classes.

    In the bipartite double cover, where every edge u → v joins (u, 0) with (v, 1) and (u, 1) with (v, 0), a component
    stays in one piece just if it has an odd cycle (a self-loop is one). So the pieces that the nodes (v, 0) lie in are
    the groups.
    """
    either = adjacency + adjacency.T
    cover = sp.bmat([[None, either], [either, None]], format="csr") if adjacency.nnz else None
    if cover is None:
        return torch.arange(adjacency.shape[0])
    _, pieces = csgraph.connected_components(cover, directed=False)
    _, group = np.unique(pieces[: adjacency.shape[0]], return_inverse=True)
    return torch.from_numpy(group)


def _perron(adjacency: Any) -> Tensor:
    """The positive eigenvector of each component's largest eigenvalue, by power iteration on A + I."""
    _, component = csgraph.connected_components(adjacency, directed=False)
    shifted = adjacency + sp.identity(adjacency.shape[0], format="csr")
    vector = np.ones(adjacency.shape[0])
    for _ in range(_PERRON_STEPS):
        before = vector
        vector = shifted @ vector
        vector /= np.sqrt(np.bincount(component, vector**2))[component]
        if np.abs(vector - before).max(initial=0) < _PERRON_TOLERANCE:
            break
    return torch.from_numpy(vector)


def second_eigenvalue(graph: Spectral, norm: Norm = "both") -> float:
    """λ, the largest |eigenvalue| of Â off its limit subspace S, in [0, 1) for norm "both"; float64.

    It is ‖P Â P‖_2 with P the projection off S. On a connected graph that is not bipartite, S is one vector and λ the
    second largest |eigenvalue|, hence the name; on others as many eigenvalues ±1 are set aside as S has dimensions.

    norm: "both" or "sum". Raises: BuildError if Â is not symmetric (a directed graph, or norm "right" or "left"):
    P and Â need not commute then, and the bounds do not hold.
    Source: Oono & Suzuki, ICLR 2020, who bound representations by it.
    """
    operator = _propagation(graph, norm)
    subspace = graph.subspace("limit", norm, backward=True)

    def off(x: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = torch.from_numpy(np.array(x, dtype=np.float64).reshape(graph.nodes, -1)).to(graph.device)
        return subspace.split(columns)[0].cpu().numpy().reshape(x.shape)

    if graph.nodes <= _DENSE:
        within = off(off(operator.toarray()).T)
        return float(np.abs(np.linalg.eigvalsh((within + within.T) / 2)).max(initial=0.0))
    from scipy.sparse.linalg import LinearOperator, eigsh

    deflated = LinearOperator(operator.shape, matvec=lambda x: off(operator @ off(x)), dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = off(np.random.default_rng(0).standard_normal(graph.nodes))
    found = eigsh(deflated, k=1, which="LM", v0=start, ncv=_LANCZOS, return_eigenvectors=False)
    return float(np.abs(found).max())


def _propagation(graph: Spectral, norm: Norm) -> sp.csr_matrix | sp.csr_array:
    """Â as a sparse matrix. Raises: BuildError if it is not symmetric."""
    ends = (graph.structure.dst.cpu().numpy(), graph.structure.src.cpu().numpy())
    adjacency = sp.coo_matrix((np.ones(graph.edges), ends), shape=(graph.nodes, graph.nodes)).tocsr()
    if norm not in ("both", "sum") or (adjacency != adjacency.T).nnz:
        raise BuildError(
            f"graph.second_eigenvalue — propagation by norm {norm!r} on this graph is not symmetric — expected "
            'an undirected graph, and norm "both" or "sum" — prepare.direction=both'
        )
    if norm == "sum":
        return adjacency
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    scale = sp.diags(degree**-0.5)
    return scale @ adjacency @ scale
