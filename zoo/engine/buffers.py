"""Memory for features that is used again: pooled until its tensors are gone, or written over at once."""

from collections import deque
from typing import Any, ClassVar, Literal
from weakref import WeakSet

import torch
from torch import Tensor

from zoo.system.private import TELLS_SHARERS, is_unshared

Use = Literal["features", "gradients"]


class Buffers:
    """Tensors on the CPU whose memory comes back when nobody holds them any more.

    A deep network keeps hundreds of equal feature matrices until its backward pass. glibc hands freed ones back to the
    system, and a step then waits for fresh pages; or it fits them badly into one another, and holds near twice what is
    in use (docs/log.md). What a tensor from here is used for does not matter: its memory is lent again only when no
    tensor, and no autograd graph, shares it.
    """

    _all: ClassVar[WeakSet[Any]] = WeakSet()

    def __init__(self) -> None:
        self._rings: dict[tuple[torch.Size, torch.dtype, Use], deque[Tensor]] = {}
        self._all.add(self)

    def take(self, shape: torch.Size, dtype: torch.dtype, use: Use = "features") -> Tensor:
        """An uninitialised tensor, contiguous.

        use: gradients pass from block to block, and two buffers that stay in the processor's caches serve all of them.
        """
        if not TELLS_SHARERS:
            return torch.empty(shape, dtype=dtype)
        ring = self._rings.setdefault((shape, dtype, use), deque())
        # Steps take their buffers in the same order, so the one that was lent longest ago is nearly always free.
        for _ in range(len(ring)):
            buffer = ring[0]
            ring.rotate(-1)
            if is_unshared(buffer):
                return buffer.data  # over the same memory, and no view, which autograd would treat as one
        buffer = torch.empty(shape, dtype=dtype)
        ring.append(buffer)
        return buffer.data

    def clear(self) -> None:
        """Let go of all that is not in use."""
        self._rings.clear()

    @classmethod
    def clear_all(cls) -> None:
        """Clear all buffers of the process."""
        for buffers in list(cls._all):
            buffers.clear()


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
