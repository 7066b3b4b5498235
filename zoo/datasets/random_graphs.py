"""Random graphs of three families, many and small: no file, any number, known truth."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.random import PCG64
from numpy.typing import NDArray
from pydantic import Field

from zoo.datasets.base import GraphData
from zoo.datasets.store import Store
from zoo.errors import BuildError
from zoo.recipe.fields import Count, Positive

Floats = NDArray[np.floating]
Ids = NDArray[np.int64]
Target = Literal["family", "triangles"]

# A stream of its own: on that of a split with the same seed, the parts would differ in their graphs.
_STREAM = int.from_bytes(b"random-graphs", "big")

# Weight of a pair i < j of n nodes to be joined: evenly, to those near on a ring, to the first.
_FAMILIES: dict[str, Callable[[Ids, Ids, int], Floats]] = {
    "even": lambda i, j, n: np.ones(len(i)),
    "ring": lambda i, j, n: np.minimum(j - i, n - (j - i)) ** -3.0,
    "hubs": lambda i, j, n: 1.0 / ((i + 1) * (j + 1)),
}


def random_graphs(
    store: Store,
    *,
    graphs: Count = 300,
    nodes: Annotated[int, Field(ge=4)] = 20,
    degree: Positive = 4.0,
    target: Target = "family",
    seed: Annotated[int, Field(ge=0)] = 0,
) -> GraphData:
    """Random graphs of three families: by default 300 graphs of 15 to 25 nodes; tell the family, or count triangles.

    A graph has n nodes, evenly drawn from three quarters to five quarters of `nodes`, and exactly round(n · degree / 2)
    undirected edges, both directions listed: neither gives its family away. The edges are drawn one after the other
    without replacement, a pair i < j with probability in proportion to 1 ("even"), to d⁻³ with d its distance on a ring
    of all nodes ("ring": many triangles, even degrees), or to 1/((i+1)(j+1)) ("hubs": a few nodes of high degree).
    Families take turns. The one feature of each node is 1, so that nothing but the graph can be learned from.

    graphs, nodes: how many, and their mean size. degree: mean number of neighbours. target: "family", three classes; or
    "triangles", the number of a graph's triangles, to be predicted. seed: of the graphs, by PCG64's raw stream, which
    NumPy promises not to change.
    Raises: BuildError if the smallest graph has fewer pairs of nodes than edges.
    Source: the drawing is that of Efraimidis & Spirakis, "Weighted random sampling with a reservoir", 2006.
    """
    low, high = nodes - nodes // 4, nodes + nodes // 4
    if (wanted := round(low * degree / 2)) > low * (low - 1) // 2:
        raise BuildError(
            f"dataset random-graphs — {wanted} edges in a graph of {low} nodes — expected at most "
            f"{low * (low - 1) // 2}, as many as there are pairs — degree: {low - 1}"
        )
    stream = PCG64([seed, _STREAM])
    sizes = low + (_uniform(stream, graphs) * (high - low + 1)).astype(np.int64)
    pairs = [
        _edges(stream, int(n), round(n * degree / 2), weights)
        for n, weights in zip(sizes, [list(_FAMILIES.values())[k % len(_FAMILIES)] for k in range(graphs)], strict=True)
    ]
    starts = np.cumsum(sizes) - sizes
    src, dst = (
        np.concatenate([start + np.concatenate(ends) for start, ends in zip(starts, order, strict=True)])
        for order in (pairs, [(j, i) for i, j in pairs])
    )
    src, dst, counts = (torch.from_numpy(array) for array in (src, dst, sizes))
    x = torch.ones(int(sizes.sum()), 1)
    facts = {"source": f"random graphs of families {', '.join(_FAMILIES)}", "edges": "undirected, both directions"}
    if target == "family":
        labels = torch.arange(graphs) % len(_FAMILIES)
        return GraphData("random-graphs", src, dst, counts, x, labels, len(_FAMILIES), facts=facts)
    triangles = [_triangles(int(n), *ends) for n, ends in zip(sizes, pairs, strict=True)]
    labels = torch.tensor(triangles, dtype=torch.float32)[:, None]
    return GraphData("random-graphs", src, dst, counts, x, labels, 1, problem="values", metric="rmse", facts=facts)


def _edges(stream: PCG64, n: int, edges: int, weights: Callable[[Ids, Ids, int], Floats]) -> tuple[Ids, Ids]:
    """Draw pairs i < j: those with the smallest of exponential times whose rates are the weights."""
    i, j = np.triu_indices(n, k=1)
    times = -np.log1p(-_uniform(stream, len(i))) / weights(i, j, n)
    first = np.sort(np.argsort(times, kind="stable")[:edges])
    return i[first], j[first]


def _triangles(n: int, i: Ids, j: Ids) -> int:
    """Return tr(A³)/6."""
    adjacency = np.zeros((n, n), dtype=np.int64)
    adjacency[i, j] = adjacency[j, i] = 1
    return int((adjacency @ adjacency * adjacency).sum()) // 6


def _uniform(stream: PCG64, count: int) -> Floats:
    """Draw numbers in [0, 1), 53 bits each."""
    return (stream.random_raw(count) >> np.uint64(11)) * 2.0**-53
