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

_TRIES = 10


def metis_parts(graph: Graph, count: int) -> Tensor:
    """The part of each node, int64 [nodes] in 0 … count−1, by METIS, which takes edges as undirected.

    The same graph gives the same parts: DGL's METIS now and then returns others for a small graph, so the parts are
    those that two cuts in a row agree on. Raises: BuildError where this build of DGL has no METIS, or METIS fails.
    Source: Karypis & Kumar, SIAM J. Sci. Comput. 1998; as it comes with DGL.
    """
    if count == 1:
        return torch.zeros(graph.nodes, dtype=torch.int64)
    structure = graph.structure
    apart = structure.src != structure.dst
    plain = dgl.graph((structure.src[apart].long(), structure.dst[apart].long()), num_nodes=graph.nodes)
    parts = _cut(plain, count)
    for _ in range(_TRIES):
        before, parts = parts, _cut(plain, count)
        if torch.equal(before, parts):
            break
    return parts


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
