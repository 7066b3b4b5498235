"""The C library's allocator, where it is glibc."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from zoo.system.choice import Choice

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_MAPPED = 64 * 1024
_LARGEST = 32 * 1024 * 1024  # what glibc's own moving threshold ends at


@cache
def glibc() -> ctypes.CDLL | None:
    """Return the library, whose `mallopt` changes how memory is handed out; None where there is another."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def choose_trimming(wanted: bool, device: str) -> Choice | None:
    """Return the choice to have freed tensors of 64 KiB and more returned to the system at once, for the record.

    Without it glibc keeps them for what comes next, often between small objects that stay, where few others fit: two to
    six times what is in use. With it each new tensor waits for fresh pages, which blocks that are one operator hardly
    feel, and others do (docs/memory.md). None if it is not wanted, on other devices than a CPU, with other C libraries,
    and where the environment sets MALLOC_MMAP_THRESHOLD_.
    """
    if not wanted or device != "cpu" or "MALLOC_MMAP_THRESHOLD_" in os.environ or glibc() is None:
        return None
    return Choice(
        "allocator", "gives back", "training.memory; freed tensors return to the system, which costs some time"
    )


@contextmanager
def trimming(active: bool) -> Iterator[None]:
    """Return freed tensors to the system at once during the `with`, in the whole process; see `choose_trimming`."""
    library = glibc() if active else None
    if library is None:
        yield
        return
    try:
        _set_threshold(library, _MAPPED)
        yield
    finally:
        _set_threshold(library, _LARGEST)


def _set_threshold(library: ctypes.CDLL, size: int) -> None:
    library.mallopt(_MMAP_THRESHOLD, size)
    library.mallopt(_TRIM_THRESHOLD, 2 * size)
