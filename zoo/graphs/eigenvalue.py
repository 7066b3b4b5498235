"""The eigenvalue that says how fast propagation forgets what does not belong to its limit."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from zoo.errors import BuildError
from zoo.graph_like import Norm

Floats = NDArray[np.float64]

# Up to so many nodes a dense matrix costs less than the Lanczos iteration; beyond, so many Lanczos vectors.
_DENSE, _LANCZOS = 256, 64


def second_eigenvalue(graph: Any, norm: Norm = "both") -> float:
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


def _propagation(graph: Any, norm: Norm) -> sp.csr_matrix | sp.csr_array:
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
