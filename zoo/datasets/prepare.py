"""What is done to a graph before training: edge direction, self-loops, feature scaling. All of it is recorded."""

from dataclasses import replace
from typing import Literal, TypeVar

import torch
from torch import Tensor

from zoo.datasets.base import Data, GraphData, LinkData, NodeData
from zoo.datasets.edges import both_directions, distinct
from zoo.errors import BuildError, DataError

SelfLoops = Literal["add", "remove", "keep"]
Direction = Literal["both", "keep", "reverse"]
Features = Literal["none", "row", "standardize"]
EdgeFeatures = Literal["keep", "drop"]
D = TypeVar("D", NodeData, LinkData, GraphData)


def prepare(
    data: D,
    *,
    self_loops: SelfLoops,
    direction: Direction,
    features: Features,
    edge_features: EdgeFeatures = "keep",
) -> D:
    """Check the data and return a prepared copy; the input is not changed. `facts["prepared"]` says what was done.

    direction: `both` adds every edge's reverse and leaves each edge once; `reverse` turns every edge around; `keep`
        leaves edges, and repetitions among them, as they are.
    self_loops: `add` leaves exactly one loop at every node, after all other edges; `remove` leaves none.
    features: `row` divides a node's features by the sum of their magnitudes, rows of zeros stay zero; `standardize`
        gives every column mean 0 and standard deviation 1 over all nodes, constant columns become zero.
    edge_features: `drop` makes plain edges of those with features, which else are neither made nor merged.
    Raises: DataError if features are not finite, labels are out of range or edges name nodes that do not exist;
        BuildError for scaling of categories, or edges to be added that would need features.
    """
    check(data)
    if edge_features == "drop":
        data = replace(data, edge_features=None)
    if data.edge_features is not None and (direction == "both" or self_loops == "add"):
        raise BuildError(
            f"prepare — the edges of {data.name} have features, and new ones would have none — expected direction=keep "
            "and self_loops=keep or remove — or edge_features=drop"
        )
    if data.categories is not None and features != "none":
        raise BuildError(f"prepare.features — those of {data.name} are categories — expected none")
    src, dst = _direct(data, direction)
    loops = src == dst
    on_edges = data.edge_features
    if on_edges is not None and self_loops == "remove":
        on_edges = on_edges[~loops]
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
    if data.edge_features is not None or edge_features == "drop":
        prepared["edge_features"] = edge_features
    return replace(
        data,
        src=src,
        dst=dst,
        features=_scale(data.features, features),
        edge_features=on_edges,
        facts={**data.facts, "prepared": prepared},
    )


def check(data: Data) -> None:
    """Refuse data that no model could be trained on.

    Raises: DataError that names the first thing wrong and where.
    """
    if data.categories is not None:
        _check_categories(data, data.categories)
    elif data.features.ndim != 2 or not data.features.is_floating_point() or 0 in data.features.shape:
        raise _error(data, f"features are {data.features.dtype} {list(data.features.shape)}", "floats [nodes, width]")
    elif not all(torch.isfinite(end) for end in torch.aminmax(data.features)):  # NaN spreads to both; needs no copy
        bad = ~torch.isfinite(data.features).all(dim=1)
        node = int(bad.nonzero()[0])
        raise _error(
            data, f"features of node {node} (and {int(bad.sum()) - 1} more) are not finite", "no NaN, no infinity"
        )
    if not isinstance(data, LinkData):
        _check_labels(data)
    for name, ends in (("src", data.src), ("dst", data.dst)):
        if ends.ndim != 1 or ends.dtype != torch.int64 or len(ends) != len(data.src):
            raise _error(data, f"{name} is {ends.dtype} {list(ends.shape)}", f"int64 [{len(data.src)}]")
        bad = (ends < 0) | (ends >= data.nodes)
        if bad.any():
            edge = int(bad.nonzero()[0])
            raise _error(data, f"{name} of edge {edge} is node {int(ends[edge])}", f"0 … {data.nodes - 1}")


def _check_categories(data: Data, categories: tuple[int, ...]) -> None:
    shape = [data.nodes, len(categories)]
    if data.features.dtype != torch.int64 or list(data.features.shape) != shape or 0 in shape:
        raise _error(data, f"features are {data.features.dtype} {list(data.features.shape)}", f"int64 {shape}")
    bad = (data.features < 0) | (data.features >= torch.tensor(categories))
    if bad.any():
        node, column = (int(place) for place in bad.nonzero()[0])
        raise _error(
            data,
            f"feature {column} of node {node} is {int(data.features[node, column])}",
            f"0 … {categories[column] - 1}",
        )


def _check_labels(data: NodeData | GraphData) -> None:
    of, count = ("graph", len(data.sizes)) if isinstance(data, GraphData) else ("node", data.nodes)
    if isinstance(data, GraphData) and (int(data.sizes.sum()) != data.nodes or bool((data.sizes < 0).any())):
        raise _error(data, f"the graphs have {int(data.sizes.sum())} nodes together", f"{data.nodes}")
    if data.problem != "classes":
        if list(data.labels.shape) != [count, data.classes] or not data.labels.is_floating_point():
            raise _error(
                data, f"labels are {data.labels.dtype} {list(data.labels.shape)}", f"floats [{count}, {data.classes}]"
            )
        binary = data.problem == "binary"
        known = data.labels[~data.labels.isnan()]
        if not bool(((known == 0) | (known == 1) if binary else known.isfinite()).all()):
            raise _error(data, f"a label of a {of} is {'not 0 or 1' if binary else 'infinite'}", "NaN where unknown")
        return
    if data.labels.shape != (count,) or data.labels.dtype != torch.int64:
        raise _error(data, f"labels are {data.labels.dtype} {list(data.labels.shape)}", f"int64 [{count}]")
    bad = (data.labels < -1) | (data.labels >= data.classes)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise _error(
            data, f"{of} {row} has label {int(data.labels[row])}", f"0 … {data.classes - 1}, or −1 for no label"
        )


def _error(data: Data, wrong: str, expected: str) -> DataError:
    return DataError(f"data set {data.name} — {wrong} — expected {expected}")


def _direct(data: Data, direction: Direction) -> tuple[Tensor, Tensor]:
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
