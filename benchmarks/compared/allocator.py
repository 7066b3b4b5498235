"""The C library's allocator and the kernel's account of this process."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_STATUS = Path("/proc/self/status")


def one_arena() -> None:
    """Let all threads allocate from one arena, so that none has an allocator of another temper; glibc only."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Hand all free memory back to the system, so that what is resident is what is used."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> bool:
    """Let the peak of the resident memory begin anew at what is resident now; whether the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def resident(peak: bool = False) -> int:
    """Bytes of this process that are in memory, or the most that ever were since `forget_peak`."""
    key = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def available() -> int:
    """Bytes that a new process could have without pushing out others."""
    text = Path("/proc/meminfo").read_text()
    line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def die_first() -> None:
    """Should memory run out all the same, let it be this process that the system ends."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
