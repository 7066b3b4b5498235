"""Tensors as arrays, for compiled loops, which read types off what they are handed; CPU only."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor


def array(x: Tensor | None, dtype: torch.dtype, dimensions: int = 2) -> Any:
    """The tensor's memory, copied where it is not contiguous; without a tensor an array of no rows."""
    return _nothing(dtype, dimensions) if x is None else x.detach().contiguous().numpy()


def by_member(dimensions: int, *arrays: Any) -> Iterable[tuple[Any, ...]]:
    """The arrays of one network after the other, where features of so many dimensions are [members, nodes, width].

    Those that are not there are handed to each.
    """
    if dimensions == 2:
        return (arrays,)
    there = [part for part in arrays if len(part)]
    return (
        tuple(part[member] if len(part) else part for part in arrays) for member in range(len(there[0]) if there else 0)
    )


@cache
def numbers(dtype: torch.dtype, *values: float) -> Any:
    """Numbers in the precision of the features that they are to multiply."""
    return torch.tensor(values, dtype=dtype).numpy()


@cache
def _nothing(dtype: torch.dtype, dimensions: int) -> Any:
    return torch.empty((0,) * dimensions, dtype=dtype).numpy()
