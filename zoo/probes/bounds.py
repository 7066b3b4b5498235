"""Closed-form bounds on μ(G_l) of linear GCNs, to hold measured gradients against.

Let Â be symmetric, S the limit subspace of its propagation, P the projection off S, and λ the largest |eigenvalue| of Â
off S. Blocks X_l = Â X_{l−1} W_l (+ X_{l−1} with a skip) with identity activation have

    G_{l−1} = Âᵀ G_l W_lᵀ                          without skips,
    G_{l−1} = G_l + Âᵀ G_l W_lᵀ                    with x + f(x).

S is spanned by eigenvectors, so P Â = Â P and ‖P Â‖_2 = λ, and with μ_S(G) = ‖P G‖_F

                         0 ≤ μ_S(G_{l−1}) ≤ λ‖W_l‖_2 μ_S(G_l),
    (1 − λ‖W_l‖_2)₊ μ_S(G_l) ≤ μ_S(G_{l−1}) ≤ (1 + λ‖W_l‖_2) μ_S(G_l).

Sources: gradient oversmoothing and gradient expansion of linear GNNs are arXiv 2410.04824, which measures μ off the
all-ones vector; λ off the subspace, per component, is Oono & Suzuki (ICLR 2020), for representations going forwards.
Putting the two together, gradients off one degree-weighted vector for each component (or colour class), is ours.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.graphs.kernel import Norm

Floats = NDArray[np.float64]

# Up to so many nodes a dense matrix costs less than the Lanczos iteration; beyond, so many Lanczos vectors.
_DENSE, _LANCZOS = 256, 64


def second_eigenvalue(graph: Graph, norm: Norm = "both") -> float:
    """λ, the largest |eigenvalue| of Â off its limit subspace S, in [0, 1) for norm "both"; float64.

    It is ‖P Â P‖_2 with P the projection off S. On a connected graph that is not bipartite, S is one vector and λ the
    second largest |eigenvalue|, hence the name; on others as many eigenvalues ±1 are set aside as S has dimensions.

    norm: "both" or "sum". Raises: BuildError if Â is not symmetric (a directed graph, or norm "right" or "left"):
    P and Â need not commute then, and the bounds do not hold.
    Source: Oono & Suzuki, ICLR 2020, who bound representations by it.
    """
    operator = _propagation(graph, norm)
    subspace = graph.subspace("limit", norm, backward=True)

    def off(x: Floats) -> Floats:
        columns = torch.from_numpy(np.array(x, dtype=np.float64).reshape(graph.nodes, -1)).to(graph.device)
        return subspace.split(columns)[0].cpu().numpy().reshape(x.shape)

    if graph.nodes <= _DENSE:
        within = off(off(operator.toarray()).T)
        return float(np.abs(np.linalg.eigvalsh((within + within.T) / 2)).max(initial=0.0))
    deflated = LinearOperator(operator.shape, matvec=lambda x: off(operator @ off(x)), dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = off(np.random.default_rng(0).standard_normal(graph.nodes))
    found = eigsh(deflated, k=1, which="LM", v0=start, ncv=_LANCZOS, return_eigenvectors=False)
    return float(np.abs(found).max())


def bounds(last: float, spectral: Sequence[float], eigenvalue: float, *, residual: bool) -> tuple[Floats, Floats]:
    """Lower and upper bounds on μ_S(G_l), [blocks] each, first block first, from what is known at the last block L.

        without skips   0 ≤ μ_S(G_l) ≤ μ_S(G_L) Π_{k>l} λ‖W_k‖_2
        with x + f(x)   μ_S(G_L) Π_{k>l} (1 − λ‖W_k‖_2)₊ ≤ μ_S(G_l) ≤ μ_S(G_L) Π_{k>l} (1 + λ‖W_k‖_2)

    They hold for identity activation, without dropout or norms between blocks, and for weights as the blocks compute
    with them. The upper ones are attained by W_k = w·I and G_L an eigenvector of Â to the eigenvalue ±λ (with a skip,
    w and the eigenvalue have one sign; if they have opposite ones and |w|λ ≤ 1, the lower one is).

    last: μ_S(G_L). spectral: ‖W_k‖_2 of blocks 2 … L, in that order. eigenvalue: λ.
    Source: arXiv 2410.04824 for the growth by products of 1 + ‖W‖_2; λ and the subspace S are ours, see the module.
    """
    gain = eigenvalue * np.asarray(spectral, dtype=np.float64)
    low, high = (np.maximum(1 - gain, 0), 1 + gain) if residual else (np.zeros_like(gain), gain)
    with np.errstate(over="ignore"):  # thousands of blocks may leave float64: the bound is then infinite
        lower, upper = (last * np.append(np.cumprod(factor[::-1])[::-1], 1.0) for factor in (low, high))
    return lower, upper


def _propagation(graph: Graph, norm: Norm) -> sp.csr_matrix | sp.csr_array:
    """Â as a sparse matrix. Raises: BuildError if it is not symmetric."""
    ends = (graph.structure.dst.cpu().numpy(), graph.structure.src.cpu().numpy())
    adjacency = sp.coo_matrix((np.ones(graph.edges), ends), shape=(graph.nodes, graph.nodes)).tocsr()
    if norm not in ("both", "sum") or (adjacency != adjacency.T).nnz:
        raise BuildError(
            f"probes.bounds — propagation by norm {norm!r} on this graph is not symmetric — expected an undirected "
            'graph, and norm "both" or "sum" — prepare.direction=both'
        )
    if norm == "sum":
        return adjacency
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    scale = sp.diags(degree**-0.5)
    return scale @ adjacency @ scale
