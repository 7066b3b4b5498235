"""The C library's allocator, where it is glibc."""

import ctypes
import platform
from functools import cache


@cache
def glibc() -> ctypes.CDLL | None:
    """The library, whose `mallopt` changes how memory is handed out; None where there is another."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
