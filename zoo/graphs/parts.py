"""Cutting a graph into parts of about equal size with few edges between them."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.dgl_backend import dgl
from zoo.errors import BuildError
from zoo.graphs.graph import Graph
from zoo.system.glibc import glibc

# glibc's M_PERTURB, and the byte whose complement is filled in.
_FILL, _WITH_ZERO = -6, 0xFF


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
    reason = "no parts came back"
    try:
        with _quiet():
            parts = _on_clean_memory(partial(dgl.metis_partition_assignment, plain, count))
    except (AttributeError, dgl.DGLError) as error:
        parts, reason = None, f"{type(error).__name__}: {error}"
    if parts is None:
        raise BuildError(f"METIS — {reason} — expected a build of DGL that has it — by=random cuts without it")
    return parts.long()


def _on_clean_memory(call: Callable[[], Any]) -> Any:
    """Return call(), whose memory is zero when it gets it: METIS reads some that it never wrote, of small graphs.

    With what lay there before, a ring of 60 nodes was cut in another way in 2 to 27 % of calls. glibc fills what it
    hands out where it is told to, but for what a thread has given back itself; a new thread has given back nothing.
    """
    library = glibc()
    if library is None:
        return call()
    library.mallopt(_FILL, _WITH_ZERO)
    try:
        with ThreadPoolExecutor(1) as new_thread:
            return new_thread.submit(call).result()
    finally:
        library.mallopt(_FILL, 0)


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
