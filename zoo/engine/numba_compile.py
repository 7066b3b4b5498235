"""How loops over rows are compiled, and how they are shared among threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any, cast

import numba
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from zoo.engine.numba_cache import SharedCache

Array = Any  # of numpy; numba reads the types off the arguments

# What may be assumed of floats: sums in any order, fused multiply and add. NaN and infinity stay what they are.
_FLOATS = {"contract", "reassoc", "nsz"}
# Rows times columns below which a second thread costs more than it gains.
_SHARED = 1 << 18


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """Compile a loop at its first call for the types of its arguments, which are arrays and numbers; without the GIL.

    The machine code is kept in `__pycache__` beside the source, or in numba's folder for the user, and is made anew
    when the loop's file changes: a loop calls no other file's.
    """
    return _compiled(loop, _FLOATS)


def compiled_as_written(loop: Callable[..., None]) -> Callable[..., None]:
    """`compiled`, with every product and every sum rounded by itself, in the order that is written."""
    return _compiled(loop, set())


def _compiled(loop: Callable[..., None], floats: set[str]) -> Callable[..., None]:
    made: Any = numba.njit(loop, nogil=True, fastmath=floats, error_model="numpy")
    with suppress(RuntimeError):  # nowhere to write
        made._cache = SharedCache(loop)
    return made


def inlined(loop: Callable[..., None]) -> Callable[..., None]:
    """A part of loops of its own file, written out in each: a call for each row costs up to a third of its time."""
    return numba.njit(loop, inline="always")


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    """The types that `prefetch` takes, and what it is compiled to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place = arguments
        data = make_array(signature.args[0])(context, builder, array).data
        line = builder.bitcast(builder.gep(data, [place]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [line.type, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [line.type], form)
        read, keep, data_cache = number(0), number(3), number(1)
        builder.call(fetch, [line, read, keep, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


# prefetch(array, place), in a loop: have the cache line of array[place] fetched into the cache. The array has one
# dimension, and the place is in its bounds. Rows that edges name one after the other lie anywhere, which no hardware
# foresees.
prefetch: Callable[[Array, int], None] = cast("Any", intrinsic(_prefetch))


def over_rows(loop: Callable[..., None], offsets: np.ndarray, columns: int, *arguments: Any) -> None:
    """Run loop(*arguments, first, last, part) over all rows, by as many threads as PyTorch has.

    offsets: [rows + 1], where each row's entries begin; rows are shared out so that the threads have about as many
    entries each. columns: of the features, which tells whether sharing pays. part: the number of the share.
    """
    rows = len(offsets) - 1
    threads = parts(rows, columns)
    if threads == 1:
        loop(*arguments, 0, rows, 0)
        return
    # A row costs something without entries, too.
    work = offsets[1:] + np.arange(1, rows + 1, dtype=offsets.dtype)
    ends = np.searchsorted(work, work[-1] * np.arange(1, threads) / threads).tolist()
    shares = zip([0, *ends], [*ends, rows], range(threads), strict=True)
    futures = [_pool(threads, os.getpid()).submit(loop, *arguments, *share) for share in shares]
    for future in futures:
        future.result()


def parts(rows: int, columns: int) -> int:
    """How many shares `over_rows` makes."""
    return torch.get_num_threads() if rows * columns >= _SHARED else 1


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that wait for work; a forked process has none of its parent's and gets its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="zoo-rows")
