"""Tensors as arrays, for compiled loops, which read types off what they are handed; CPU only."""

from functools import cache
from typing import Any

import torch
from torch import Tensor


def array(x: Tensor | None, dtype: torch.dtype, dimensions: int = 2) -> Any:
    """The tensor's memory, copied where it is not contiguous; without a tensor an array of no rows."""
    return _nothing(dtype, dimensions) if x is None else x.detach().contiguous().numpy()


@cache
def numbers(dtype: torch.dtype, *values: float) -> Any:
    """Numbers in the precision of the features that they are to multiply."""
    return torch.tensor(values, dtype=dtype).numpy()


@cache
def _nothing(dtype: torch.dtype, dimensions: int) -> Any:
    return torch.empty((0,) * dimensions, dtype=dtype).numpy()
