"""What a data set or a split was given as, made what its class promises: NumPy's arrays become tensors."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from zoo.datasets.base import LinkSplit, Masks, Split
from zoo.errors import DataError

D = TypeVar("D")

_DTYPES: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float32}


def as_tensors(data: D) -> D:
    """The data set or split with copies of NumPy's arrays as tensors: bool, int64 or float32, by their kind.

    Labels of a problem other than classes become float32, whatever they are; a mask of one split, [n], becomes [1, n].
    Tensors are left as they are. Raises: DataError, with the place and a way out, for what is neither.
    """
    found: Any = data
    where = f"{'split' if isinstance(data, Split | LinkSplit) else 'data set'} {found.name}"
    floats = {"labels"} if getattr(found, "problem", "classes") != "classes" else set()
    changes: dict[str, Any] = {}
    for field in fields(found):
        value = getattr(found, field.name)
        if field.name == "masks":
            changes["masks"] = _masks(where, value)
        elif field.name == "links":
            changes["links"] = as_tensors(value)
        elif field.type is Tensor or (Tensor in get_args(field.type) and value is not None):
            dtypes = dict.fromkeys(_DTYPES, np.float32) if field.name in floats else _DTYPES
            changes[field.name] = _tensor(f"{where} — {field.name}", value, dtypes)
    return replace(found, **changes)


def _masks(where: str, masks: Any) -> dict[str, Masks]:
    if not isinstance(masks, Mapping) or not all(isinstance(each, Masks) for each in masks.values()):
        raise DataError(
            f"{where} — masks are no splits by name — expected a mapping to Masks — "
            "masks={'public': Masks(train=…, val=…, test=…)}"
        )
    parts = ("train", "val", "test")
    return {
        kind: Masks(
            *(torch.atleast_2d(_tensor(f"{where} — masks.{kind}.{part}", getattr(each, part))) for part in parts)
        )
        for kind, each in masks.items()
    }


def _tensor(what: str, value: Any, dtypes: Mapping[str, Any] | None = None) -> Tensor:
    """The value as a tensor; dtypes: by the kind of an array, what it becomes."""
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
