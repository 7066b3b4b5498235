"""How the C library gets memory for large tensors; Linux with glibc only."""

import os

import torch

from zoo.system.choice import Choice
from zoo.system.glibc import glibc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_MAPPED = 64 * 1024
_LARGEST = 32 * 1024 * 1024  # what glibc's own moving threshold ends at
_SAID = "MALLOC_MMAP_THRESHOLD_"
_changed = False


def give_back(wanted: bool, device: torch.device) -> Choice | None:
    """Let freed tensors of 64 KiB and more go back to the system at once, or not; for the whole process.

    Without it glibc keeps them for what comes next, often between small objects that stay, where few others fit: two to
    six times what is in use. With it each new tensor waits for fresh pages, which blocks that are one operator hardly
    feel, and others do (docs/memory.md). Returns the choice for the record; None where nothing was changed: on other
    devices, with other C libraries, and where the environment says MALLOC_MMAP_THRESHOLD_.
    """
    global _changed
    if _SAID in os.environ or (wanted and device.type != "cpu") or not (wanted or _changed):
        return None
    library = glibc()
    if library is None:
        return None
    _changed = wanted
    library.mallopt(_MMAP_THRESHOLD, _MAPPED if wanted else _LARGEST)
    library.mallopt(_TRIM_THRESHOLD, 2 * (_MAPPED if wanted else _LARGEST))
    if not wanted:
        return None
    return Choice(
        "allocator", "gives back", "training.memory; freed tensors return to the system, which costs some time"
    )
