"""Whether data can be trained on at all: everything that a file or a plug-in can get wrong, named with its place."""

from dataclasses import fields
from typing import get_args

import torch
from torch import Tensor

from registry.name_errors import did_you_mean
from zoo.datasets.base import Data, GraphData, LinkData, LinkSplit, Masks, NodeData, Problem
from zoo.errors import DataError


def check(data: Data) -> None:
    """Refuse data that no model could be trained on.

    Raises: DataError that names the first thing wrong and where.
    """
    if data.categories is not None:
        _check_categories(data, data.categories)
    else:
        _check_floats(data)
    if isinstance(data, GraphData):
        _check_sizes(data)
    if isinstance(data, LinkData):
        _check_links(data, data.links)
    else:
        _check_labels(data)
        for kind, masks in data.masks.items():
            check_masks(data, kind, masks)
    for name, ends in (("src", data.src), ("dst", data.dst)):
        if ends.ndim != 1 or ends.dtype != torch.int64 or len(ends) != len(data.src):
            raise _error(data, f"{name} is {ends.dtype} {list(ends.shape)}", f"int64 [{len(data.src)}]")
        bad = (ends < 0) | (ends >= data.nodes)
        if bad.any():
            edge = int(bad.nonzero()[0])
            raise _error(data, f"{name} of edge {edge} is node {int(ends[edge])}", f"0 … {data.nodes - 1}")
    if data.edge_features is not None:
        _check_edge_features(data, data.edge_features)


def check_masks(data: NodeData | GraphData, kind: str, masks: Masks) -> None:
    """Raise DataError for masks of another shape than the data set's."""
    count = len(data.labels)
    for part in ("train", "val", "test"):
        mask = getattr(masks, part)
        if mask.ndim != 2 or mask.dtype != torch.bool or mask.shape[1] != count or len(mask) != len(masks.train):
            nearest = " — mask.bool()" if mask.dtype != torch.bool else ""
            raise DataError(
                f"split {kind} — the {part} masks of {data.name} are {mask.dtype} {list(mask.shape)} — expected bool "
                f"[{len(masks.train)}, {count}]{nearest}"
            )


def is_finite(x: Tensor) -> bool:
    """Whether all numbers are, without a mask as large as they are: NaN spreads to the least and the largest one."""
    return not x.numel() or all(torch.isfinite(end) for end in torch.aminmax(x))


def not_finite(x: Tensor) -> str:
    """Of x [rows, columns] the first number that is not finite, and how many more rows have one: `row 3, …`."""
    bad = ~torch.isfinite(x)
    rows = bad.any(dim=1)
    row = int(rows.nonzero()[0])
    column, more = int(bad[row].nonzero()[0]), int(rows.sum()) - 1
    return f"{row}, column {column}, is {float(x[row, column])}" + (f" (and of {more} more)" if more else "")


def _check_floats(data: Data) -> None:
    x = data.features
    if x.ndim != 2 or x.dtype != torch.float32 or 0 in x.shape:
        nearest = "features.float()" if x.is_floating_point() and x.ndim == 2 and 0 not in x.shape else ""
        raise _error(data, f"features are {x.dtype} {list(x.shape)}", "floats float32 [nodes, width]", nearest)
    if not is_finite(x):
        raise _error(data, f"the feature of node {not_finite(x)}", "no NaN, no infinity")


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


def _check_edge_features(data: Data, x: Tensor) -> None:
    if x.ndim != 2 or x.dtype not in (torch.float32, torch.int64) or len(x) != len(data.src) or not x.shape[1]:
        raise _error(
            data,
            f"edge features are {x.dtype} {list(x.shape)}",
            f"float32 or int64 [{len(data.src)} edges, columns]",
            "prepare.edge_features=drop",
        )
    if x.is_floating_point() and not is_finite(x):
        raise _error(data, f"the feature of edge {not_finite(x)}", "no NaN, no infinity", "prepare.edge_features=drop")


def _check_sizes(data: GraphData) -> None:
    if data.sizes.ndim != 1 or data.sizes.dtype != torch.int64 or not len(data.sizes):
        raise _error(data, f"sizes are {data.sizes.dtype} {list(data.sizes.shape)}", "int64 [graphs], one at least")
    if bool((data.sizes < 0).any()) or int(data.sizes.sum()) != data.nodes:
        raise _error(data, f"the graphs have {int(data.sizes.sum())} nodes together", f"{data.nodes}")


def _check_labels(data: NodeData | GraphData) -> None:
    of, count = ("graph", len(data.sizes)) if isinstance(data, GraphData) else ("node", data.nodes)
    if data.problem not in get_args(Problem):
        near = did_you_mean(str(data.problem), get_args(Problem))
        raise _error(data, f"its problem is {data.problem!r}", f"one of: {', '.join(get_args(Problem))}{near}")
    if data.classes < 1:
        raise _error(data, f"it has {data.classes} {'classes' if data.problem == 'classes' else 'labels'}", "1 or more")
    if data.problem != "classes":
        if list(data.labels.shape) != [count, data.classes] or not data.labels.is_floating_point():
            raise _error(
                data, f"labels are {data.labels.dtype} {list(data.labels.shape)}", f"floats [{count}, {data.classes}]"
            )
        binary = data.problem == "binary"
        known = data.labels.isnan().logical_not()
        right = (data.labels == 0) | (data.labels == 1) if binary else data.labels.isfinite()
        if bool((wrong := known & ~right).any()):
            row, column = (int(place) for place in wrong.nonzero()[0])
            value = f"label {column} of {of} {row} is {float(data.labels[row, column]):g}"
            expected = "0 or 1, or NaN where unknown" if binary else "finite numbers, or NaN where unknown"
            raise _error(data, f"{value}: {'not 0 or 1' if binary else 'infinite'}", expected)
        return
    if data.labels.shape != (count,) or data.labels.dtype != torch.int64:
        raise _error(data, f"labels are {data.labels.dtype} {list(data.labels.shape)}", f"int64 [{count}]")
    bad = (data.labels < -1) | (data.labels >= data.classes)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise _error(
            data, f"{of} {row} has label {int(data.labels[row])}", f"0 … {data.classes - 1}, or −1 for no label"
        )


def _check_links(data: LinkData, links: LinkSplit) -> None:
    for field in fields(links):
        pairs = getattr(links, field.name)
        if not isinstance(pairs, Tensor):
            continue
        several = field.name.endswith("_negative")
        if pairs.dtype != torch.int64 or pairs.ndim not in ((2, 3) if several else (2,)) or len(pairs) != 2:
            expected = "int64 [2, links]" + (" or [2, links, others]" if several else "")
            raise _error(data, f"links.{field.name} is {pairs.dtype} {list(pairs.shape)}", expected)


def _error(data: Data, wrong: str, expected: str, nearest: str = "") -> DataError:
    return DataError(f"data set {data.name} — {wrong} — expected {expected}" + (f" — {nearest}" if nearest else ""))
