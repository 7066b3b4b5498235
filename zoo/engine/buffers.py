"""Memory for features that is used again in every step, instead of being given back and asked for anew."""

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Literal
from weakref import WeakSet

import torch
from torch import Tensor

Use = Literal["features", "gradients"]


def _holders(x: Tensor) -> tuple[int, int]:
    """How many share the memory of x: tensors, views and autograd graphs; and names of its storage in Python."""
    storage = x.untyped_storage()
    return torch._C._storage_Use_Count(storage._cdata), sys.getrefcount(storage)


def _tried() -> tuple[int, int] | None:
    """What `_holders` says of a tensor that nobody shares; None if it misses any way to share, or does not come back.

    It asks a private part of PyTorch, and memory that is lent while it is in use would be a wrong gradient. On any
    surprise every tensor gets fresh memory.
    """
    try:
        x = torch.empty(4)
        free = _holders(x)
        for share in _WAYS:
            held = share(x.data)
            taken = _holders(x)
            del held
            if taken == free or _holders(x) != free:
                return None
        return free
    except Exception:  # it is gone, or takes other arguments
        return None


def _saved(x: Tensor) -> Tensor:
    x.requires_grad_()
    return (x * x).sum()


_WAYS: tuple[Callable[[Tensor], Any], ...] = (
    lambda x: x,
    lambda x: x[:2],
    lambda x: x.view(2, 2).t().detach(),
    _saved,
    lambda x: x.numpy(),
    lambda x: x.untyped_storage(),
)
_free = _tried()


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
        if _free is None:
            return torch.empty(shape, dtype=dtype)
        ring = self._rings.setdefault((shape, dtype, use), deque())
        # Steps take their buffers in the same order, so the one that was lent longest ago is nearly always free.
        for _ in range(len(ring)):
            buffer = ring[0]
            ring.rotate(-1)
            if _holders(buffer) == _free:
                return buffer.data  # over the same memory, and no view, which autograd would treat as one
        buffer = torch.empty(shape, dtype=dtype)
        ring.append(buffer)
        return buffer.data

    def clear(self) -> None:
        """Give back what is not in use."""
        self._rings.clear()

    @classmethod
    def clear_all(cls) -> None:
        """Give back what no buffers of the process have in use."""
        for buffers in list(cls._all):
            buffers.clear()
