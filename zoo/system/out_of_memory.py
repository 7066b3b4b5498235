"""Telling a lack of memory from other errors, by whom ever it is said: Python, NumPy, PyTorch on a CPU or on CUDA."""

import errno
import re

_SAID = re.compile(
    r"can't allocate memory|Cannot allocate memory|out of memory|std::bad_alloc|not enough memory|ALLOC_FAILED"
)
_ASKED = re.compile(r"(?:allocate|allocating) (\d+(?:\.\d+)?) ?(bytes|[KMGT]iB)", re.IGNORECASE)
_UNITS = {"bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def shortage_of(error: BaseException) -> BaseException | None:
    """The lack of memory that an error is, or was raised from; None if it is another error."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if _is_shortage(link):
            return link
        seen.add(id(link))
        link = link.__cause__
    return None


def asked_for(error: BaseException) -> int | None:
    """How many bytes were asked for, where the error says so."""
    found = _ASKED.search(str(error))
    return round(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def _is_shortage(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and _SAID.search(str(error)) is not None
