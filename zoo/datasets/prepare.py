"""Preparation of a graph before training, all of it recorded: edge direction, self-loops, feature scaling."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from zoo.datasets.base import D
from zoo.datasets.pairs import both_directions, distinct
from zoo.datasets.validity import as_tensors, check
from zoo.errors import BuildError

SelfLoops = Literal["add", "remove", "keep"]
Direction = Literal["both", "keep", "reverse"]
Features = Literal["none", "row", "standardize"]
EdgeFeatures = Literal["keep", "drop"]


def prepare(
    data: D,
    *,
    self_loops: SelfLoops,
    direction: Direction,
    features: Features,
    edge_features: EdgeFeatures = "keep",
) -> D:
    """Check the data and return a prepared copy; `facts["prepared"]` says what was done.

    direction: `both` adds every edge's reverse and leaves each edge once; `reverse` turns every edge around; `keep`
        leaves edges, and repetitions among them, as they are.
    self_loops: `add` leaves exactly one loop at every node, after all other edges; `remove` leaves none.
    features: `row` divides a node's features by the sum of their magnitudes, rows of zeros stay zero; `standardize`
        gives every column mean 0 and standard deviation 1 over all nodes, constant columns become zero.
    edge_features: `drop` removes them; with features, edges are neither added nor merged.
    Raises: DataError as `validity.check` does; BuildError for scaling of categories, or edges to be added that would
        need features.
    """
    data = as_tensors(data)
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
    if direction == "both":
        src, dst = both_directions(data.src, data.dst, data.nodes)
    else:
        src, dst = (data.dst, data.src) if direction == "reverse" else (data.src, data.dst)
    loops, on_edges = src == dst, data.edge_features
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
    x, facts = _scale(data.features, features), {**data.facts, "prepared": prepared}
    return replace(data, src=src, dst=dst, features=x, edge_features=on_edges, facts=facts)


def _scale(x: Tensor, features: Features) -> Tensor:
    match features:
        case "none":
            return x
        case "row":
            total = x.abs().sum(dim=1, keepdim=True)
            scaled = x / total.where(total > 0, 1)
            if bool((lost := total.isinf().squeeze(1)).any()):  # magnitudes whose sum float32 does not hold
                wide = x[lost].double()
                scaled[lost] = (wide / wide.abs().sum(dim=1, keepdim=True)).float()
            return scaled
        case "standardize":
            deviation, mean = torch.std_mean(x, dim=0, correction=0)
            # a constant column's deviation is rounding noise, not exactly zero
            constant = (x == x[0]).all(dim=0)
            scaled = (x - mean) / deviation.where(~constant & (deviation > 0), 1)
            if bool((lost := ~constant & ~((deviation > 0) & deviation.isfinite())).any()):
                # squares below 1e-45 or above 3e38, which float32 does not hold
                deviation, mean = torch.std_mean(wide := x[:, lost].double(), dim=0, correction=0)
                scaled[:, lost] = ((wide - mean) / deviation).float()
            return scaled.masked_fill(constant, 0)
