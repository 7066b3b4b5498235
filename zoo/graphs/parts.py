"""Cutting a graph into parts of about equal size with few edges between them."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.graph import Graph

# Of a graph of some dozens of nodes DGL's METIS returns other parts once in about 25 calls; of Cora it did not in 40.
# So small graphs, for which it costs next to nothing, are cut several times, and the parts are what most cuts say.
_SMALL = 10_000
_CUTS = 9


def metis_parts(graph: Graph, count: int) -> Tensor:
    """The part of each node, int64 [nodes] in 0 … count−1, by METIS, which takes edges as undirected.

    The same graph gives the same parts. Raises: BuildError where this build of DGL has no METIS, or METIS fails.
    Source: Karypis & Kumar, SIAM J. Sci. Comput. 1998; as it comes with DGL.
    """
    if count == 1:
        return torch.zeros(graph.nodes, dtype=torch.int64)
    structure = graph.structure
    apart = structure.src != structure.dst
    plain = dgl.graph((structure.src[apart].long(), structure.dst[apart].long()), num_nodes=graph.nodes)
    cuts = [_cut(plain, count) for _ in range(_CUTS if graph.nodes < _SMALL else 1)]
    return max(cuts, key=lambda one: sum(torch.equal(one, other) for other in cuts))


def _cut(graph: Any, count: int) -> Tensor:
    reason = "no parts came back"
    try:
        with _quiet():
            parts = dgl.metis_partition_assignment(graph, count)
    except (AttributeError, dgl.DGLError) as error:
        parts, reason = None, f"{type(error).__name__}: {error}"
    if parts is None:
        raise BuildError(f"METIS — {reason} — expected a build of DGL that has it — by=random cuts without it")
    return parts.long()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what DGL prints on both streams, on one of them from C++."""
    sys.stderr.flush()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # DGL leaves a file open
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
