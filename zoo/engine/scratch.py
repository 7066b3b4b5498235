"""Memory for what is used at once and never kept."""

import torch
from torch import Tensor


class Scratch:
    """Uninitialised tensors on one device; the same one whenever its name, shape and type are asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._made: dict[tuple[str, torch.Size, torch.dtype], Tensor] = {}

    def __call__(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The tensor of that name; what it held is lost with the next write to it."""
        key = name, torch.Size(shape), dtype
        if key not in self._made:
            self._made[key] = torch.empty(shape, dtype=dtype, device=self._device)
        return self._made[key]
