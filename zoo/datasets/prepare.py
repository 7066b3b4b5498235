"""What is done to a graph before training: edge direction, self-loops, feature scaling. All of it is recorded."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from zoo.datasets.base import NodeData
from zoo.datasets.edges import both_directions, distinct
from zoo.errors import DataError

SelfLoops = Literal["add", "remove", "keep"]
Direction = Literal["both", "keep", "reverse"]
Features = Literal["none", "row", "standardize"]


def prepare(data: NodeData, *, self_loops: SelfLoops, direction: Direction, features: Features) -> NodeData:
    """Check the data and return a prepared copy; the input is not changed. `facts["prepared"]` says what was done.

    direction: `both` adds every edge's reverse and leaves each edge once; `reverse` turns every edge around; `keep`
        leaves edges, and repetitions among them, as they are.
    self_loops: `add` leaves exactly one loop at every node, after all other edges; `remove` leaves none.
    features: `row` divides a node's features by the sum of their magnitudes, rows of zeros stay zero; `standardize`
        gives every column mean 0 and standard deviation 1 over all nodes, constant columns become zero.
    Raises: DataError if features are not finite, labels are out of range or edges name nodes that do not exist.
    """
    check(data)
    src, dst = _direct(data, direction)
    loops = src == dst
    if self_loops != "keep":
        src, dst = src[~loops], dst[~loops]
    if self_loops == "add":
        every = torch.arange(data.nodes, dtype=src.dtype, device=src.device)
        src, dst = torch.cat([src, every]), torch.cat([dst, every])
    prepared = {
        "direction": direction,
        "self_loops": self_loops,
        "features": features,
        "edges before": len(data.src),
        "edges after": len(src),
        "repeated edges before": len(data.src) - len(distinct(data.src, data.dst, data.nodes)[0]),
        "loops before": int((data.src == data.dst).sum()),
        "loops after": int((src == dst).sum()),
    }
    return replace(
        data, src=src, dst=dst, features=_scale(data.features, features), facts={**data.facts, "prepared": prepared}
    )


def check(data: NodeData) -> None:
    """Refuse data that no model could be trained on.

    Raises: DataError that names the first thing wrong and where.
    """
    if data.features.ndim != 2 or not data.features.is_floating_point() or 0 in data.features.shape:
        raise _error(data, f"features are {data.features.dtype} {list(data.features.shape)}", "floats [nodes, width]")
    if not all(torch.isfinite(end) for end in torch.aminmax(data.features)):  # NaN spreads to both; needs no copy
        bad = ~torch.isfinite(data.features).all(dim=1)
        node = int(bad.nonzero()[0])
        raise _error(
            data, f"features of node {node} (and {int(bad.sum()) - 1} more) are not finite", "no NaN, no infinity"
        )
    if data.labels.shape != (data.nodes,) or data.labels.dtype != torch.int64:
        raise _error(data, f"labels are {data.labels.dtype} {list(data.labels.shape)}", f"int64 [{data.nodes}]")
    bad = (data.labels < -1) | (data.labels >= data.classes)
    if bad.any():
        node = int(bad.nonzero()[0])
        raise _error(
            data, f"node {node} has label {int(data.labels[node])}", f"0 … {data.classes - 1}, or −1 for no label"
        )
    for name, ends in (("src", data.src), ("dst", data.dst)):
        if ends.ndim != 1 or ends.dtype != torch.int64 or len(ends) != len(data.src):
            raise _error(data, f"{name} is {ends.dtype} {list(ends.shape)}", f"int64 [{len(data.src)}]")
        bad = (ends < 0) | (ends >= data.nodes)
        if bad.any():
            edge = int(bad.nonzero()[0])
            raise _error(data, f"{name} of edge {edge} is node {int(ends[edge])}", f"0 … {data.nodes - 1}")


def _error(data: NodeData, wrong: str, expected: str) -> DataError:
    return DataError(f"data set {data.name} — {wrong} — expected {expected}")


def _direct(data: NodeData, direction: Direction) -> tuple[Tensor, Tensor]:
    match direction:
        case "both":
            return both_directions(data.src, data.dst, data.nodes)
        case "reverse":
            return data.dst, data.src
        case "keep":
            return data.src, data.dst


def _scale(x: Tensor, features: Features) -> Tensor:
    match features:
        case "none":
            return x
        case "row":
            total = x.abs().sum(dim=1, keepdim=True)
            return x / total.where(total > 0, 1)
        case "standardize":
            deviation, mean = torch.std_mean(x, dim=0, correction=0)
            # a constant column's deviation is rounding noise, not exactly zero
            constant = (x == x[0]).all(dim=0)
            return ((x - mean) / deviation.where(~constant & (deviation > 0), 1)).masked_fill(constant, 0)
