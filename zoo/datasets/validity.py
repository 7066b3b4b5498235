"""Checks of data sets and splits from files and plug-ins: conversion to tensors, and errors that name the place."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from registry.name_errors import did_you_mean
from zoo.datasets.base import Data, GraphData, LabelKind, LinkData, LinkSplit, Masks, NodeData, Split
from zoo.errors import DataError

G = TypeVar("G", NodeData, LinkData, GraphData, Split, LinkSplit)

_DTYPES: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float32}


def as_tensors(data: G) -> G:
    """Return the data set or split with copies of NumPy's arrays as tensors: bool, int64 or float32, by their kind.

    Labels of a problem other than classes become float32, whatever they are; a mask of one split, [n], becomes [1, n].
    Tensors are left as they are. Raises: DataError, with the place and a remedy, for what is neither.
    """
    where = f"{'split' if isinstance(data, Split | LinkSplit) else 'data set'} {data.name}"
    numbers = isinstance(data, NodeData | GraphData) and data.problem != "classes"
    changes: dict[str, Any] = {}
    for field in fields(data):
        value = vars(data)[field.name]
        if field.name == "masks":
            changes["masks"] = _masks(where, value)
        elif field.name == "links":
            changes["links"] = as_tensors(value)
        elif field.type is Tensor or (Tensor in get_args(field.type) and value is not None):
            dtypes = dict.fromkeys(_DTYPES, np.float32) if numbers and field.name == "labels" else _DTYPES
            changes[field.name] = _tensor(f"{where} — {field.name}", value, dtypes)
    return replace(data, **changes)


def _masks(where: str, masks: Any) -> dict[str, Masks]:
    if not isinstance(masks, Mapping) or not all(isinstance(each, Masks) for each in masks.values()):
        raise DataError(
            f"{where} — masks are no splits by name — expected a mapping to Masks — "
            "masks={'public': Masks(train=…, val=…, test=…)}"
        )
    return {
        kind: Masks(*(torch.atleast_2d(_tensor(f"{where} — masks.{kind}.{p}", mask)) for p, mask in vars(each).items()))
        for kind, each in masks.items()
    }


def _tensor(what: str, value: Any, dtypes: Mapping[str, Any] | None = None) -> Tensor:
    """Return the value as a tensor. dtypes: by the kind of an array, the type that it is converted to."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided:
            raise DataError(f"{what} is a sparse tensor {list(value.shape)} — expected a dense one — to_dense()")
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _DTYPES:
            raise DataError(f"{what} is an array of {value.dtype} — expected numbers")
        with np.errstate(over="ignore"):  # what float32 does not hold becomes infinite, and is refused as that
            dtype = value.dtype if dtypes is None else dtypes[value.dtype.kind]
            return torch.from_numpy(np.array(value, dtype, order="C"))
    kind = f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
    near = " — toarray()" if hasattr(value, "toarray") else ""
    if value is None:
        kind = "None"
        if what.endswith(" features"):
            near = " — where there are none, torch.arange(nodes)[:, None] with categories=(nodes,)"
    raise DataError(f"{what} is {kind} — expected a tensor, or an array of NumPy's{near}")


def check(data: Data) -> None:
    """Refuse data that no model could be trained on. Raises: DataError that names the first thing wrong, and where."""
    _check_features(data)
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
            raise _error(data, f"{name} is {_described(ends)}", f"int64 [{len(data.src)}]")
        bad = (ends < 0) | (ends >= data.nodes)
        if bad.any():
            edge = int(bad.nonzero()[0])
            raise _error(data, f"{name} of edge {edge} is node {int(ends[edge])}", f"0 … {data.nodes - 1}")
    x = data.edge_features
    if x is not None:
        drop = "prepare.edge_features=drop"
        if x.ndim != 2 or x.dtype not in (torch.float32, torch.int64) or len(x) != len(data.src) or not x.shape[1]:
            expected = f"float32 or int64 [{len(data.src)} edges, columns]"
            raise _error(data, f"edge features are {_described(x)}", expected, drop)
        if x.is_floating_point() and not is_finite(x):
            raise _error(data, f"the feature of edge {not_finite(x)}", "no NaN, no infinity", drop)


def check_masks(data: NodeData | GraphData, kind: str, masks: Masks) -> None:
    """Raise DataError for masks of another shape than the data set's."""
    count = len(data.labels)
    for part, mask in vars(masks).items():
        if mask.ndim != 2 or mask.dtype != torch.bool or mask.shape[1] != count or len(mask) != len(masks.train):
            nearest = " — mask.bool()" if mask.dtype != torch.bool else ""
            raise DataError(
                f"split {kind} — the {part} masks of {data.name} are {_described(mask)} — expected bool "
                f"[{len(masks.train)}, {count}]{nearest}"
            )


def is_finite(x: Tensor) -> bool:
    """Tell whether all numbers are finite, without a mask as large as they are: NaN spreads to the extremes."""
    return not x.numel() or all(torch.isfinite(end) for end in torch.aminmax(x))


def not_finite(x: Tensor) -> str:
    """Return the first number of x [rows, columns] that is not finite, and how many more rows have one: `3, …`."""
    bad = ~torch.isfinite(x)
    rows = bad.any(dim=1)
    row = int(rows.nonzero()[0])
    column, more = int(bad[row].nonzero()[0]), int(rows.sum()) - 1
    return f"{row}, column {column}, is {float(x[row, column])}" + (f" (and of {more} more)" if more else "")


def _check_features(data: Data) -> None:
    x, categories = data.features, data.categories
    if categories is None:
        if x.ndim != 2 or x.dtype != torch.float32 or 0 in x.shape:
            nearest = "features.float()" if x.is_floating_point() and x.ndim == 2 and 0 not in x.shape else ""
            raise _error(data, f"features are {_described(x)}", "floats float32 [nodes, width]", nearest)
        if not is_finite(x):
            raise _error(data, f"the feature of node {not_finite(x)}", "no NaN, no infinity")
        return
    shape = [data.nodes, len(categories)]
    if x.dtype != torch.int64 or list(x.shape) != shape or 0 in shape:
        raise _error(data, f"features are {_described(x)}", f"int64 {shape}")
    bad = (x < 0) | (x >= torch.tensor(categories))
    if bad.any():
        node, column = bad.nonzero()[0].tolist()
        wrong = f"feature {column} of node {node} is {int(x[node, column])}"
        raise _error(data, wrong, f"0 … {categories[column] - 1}")


def _check_sizes(data: GraphData) -> None:
    if data.sizes.ndim != 1 or data.sizes.dtype != torch.int64 or not len(data.sizes):
        raise _error(data, f"sizes are {_described(data.sizes)}", "int64 [graphs], one at least")
    if bool((data.sizes < 0).any()) or int(data.sizes.sum()) != data.nodes:
        raise _error(data, f"the graphs have {int(data.sizes.sum())} nodes together", f"{data.nodes}")


def _check_labels(data: NodeData | GraphData) -> None:
    of, count = data.item, len(data.sizes) if isinstance(data, GraphData) else data.nodes
    labels, problems = data.labels, get_args(LabelKind)
    if data.problem not in problems:
        near = did_you_mean(str(data.problem), problems)
        raise _error(data, f"its problem is {data.problem!r}", f"one of: {', '.join(problems)}{near}")
    if data.classes < 1:
        raise _error(data, f"it has {data.classes} {'classes' if data.problem == 'classes' else 'labels'}", "1 or more")
    if data.problem == "classes":
        if labels.shape != (count,) or labels.dtype != torch.int64:
            raise _error(data, f"labels are {_described(labels)}", f"int64 [{count}]")
        bad = (labels < -1) | (labels >= data.classes)
        if bad.any():
            row = int(bad.nonzero()[0])
            expected = f"0 … {data.classes - 1}, or −1 for no label"
            raise _error(data, f"{of} {row} has label {int(labels[row])}", expected)
        return
    if list(labels.shape) != [count, data.classes] or not labels.is_floating_point():
        raise _error(data, f"labels are {_described(labels)}", f"floats [{count}, {data.classes}]")
    binary = data.problem == "binary"
    valid = (labels == 0) | (labels == 1) if binary else labels.isfinite()
    if bool((wrong := ~(valid | labels.isnan())).any()):
        row, column = wrong.nonzero()[0].tolist()
        value = f"label {column} of {of} {row} is {float(labels[row, column]):g}"
        expected = "0 or 1, or NaN where unknown" if binary else "finite numbers, or NaN where unknown"
        raise _error(data, f"{value}: {'not 0 or 1' if binary else 'infinite'}", expected)


def _check_links(data: LinkData, links: LinkSplit) -> None:
    for name, pairs in vars(links).items():
        if not isinstance(pairs, Tensor):
            continue
        several = name.endswith("_negative")
        if pairs.dtype != torch.int64 or pairs.ndim not in ((2, 3) if several else (2,)) or len(pairs) != 2:
            expected = "int64 [2, links]" + (" or [2, links, others]" if several else "")
            raise _error(data, f"links.{name} is {_described(pairs)}", expected)


def _described(x: Tensor) -> str:
    return f"{x.dtype} {list(x.shape)}"


def _error(data: Data, wrong: str, expected: str, nearest: str = "") -> DataError:
    return DataError(f"data set {data.name} — {wrong} — expected {expected}" + (f" — {nearest}" if nearest else ""))
