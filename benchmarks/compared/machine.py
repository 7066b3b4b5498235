"""What the machine can do: matrix products and copies, at their best."""

import time
from collections.abc import Callable

import torch

_SIDE = 2048
_BYTES = 1 << 28


def limits(repeats: int = 7) -> dict[str, float]:
    """gflops: of a large square product in float32. copy_gbs: 1e9 bytes read and written a second by a large copy."""
    a, b = torch.randn(2, _SIDE, _SIDE).unbind()
    out = torch.empty_like(a)
    source = torch.ones(_BYTES // 4)
    target = torch.empty_like(source)
    product = _fastest(lambda: torch.mm(a, b, out=out), repeats)
    copying = _fastest(lambda: target.copy_(source), repeats)
    return {"gflops": 2 * _SIDE**3 / product / 1e9, "copy_gbs": 2 * _BYTES / copying / 1e9}


def _fastest(run: Callable[[], object], repeats: int) -> float:
    def timed() -> float:
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    return min(timed() for _ in range(repeats))
