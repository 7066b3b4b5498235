"""Compilation of loops over rows, kept between processes; their arguments, and threads that share the rows."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from torch import Tensor

from zoo.system.lock import Held, locked
from zoo.system.private import numba_cache, use_numba_cache

Loop = Callable[..., None]

# What may be assumed of floats: sums in any order, fused multiply and add. NaN and infinity stay what they are.
_FLOATS = {"contract", "reassoc", "nsz"}
# Rows times columns below which a second thread costs more than it gains.
_SHARED = 1 << 18
# How loops are compiled, and what they prefetch with: numba itself looks at a loop's own file alone.
_ENGINE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
_PATIENCE = 10.0  # seconds; what another process does with the lock takes milliseconds


class SharedCache(numba_cache()):
    """A cache of one loop's machine code, which one process at a time reads or writes.

    numba replaces files whole, but not the index together with the code: two processes that compile one loop for
    different types at one time may leave an index that names the code of the other, and that is then run on arrays of
    the wrong type. What cannot be read is compiled anew; what cannot be written is left out.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for these types, or None."""
        try:
            with self._locked():
                found = super().load_overload(sig, target_context)
        except Exception:  # a damaged file; what unpickling it raises may be anything
            return None
        return found if found is None or tuple(found.signature.args) == tuple(getattr(sig, "args", sig)) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code, if there is a place for it."""
        with suppress(OSError, Held), self._locked():
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:  # a damaged index
                self.flush()
                super().save_overload(sig, data)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), _ENGINE

    def _locked(self) -> ExitStack:
        """Lock the folder; one where no lock can be made, such as a folder that can only be read, is used without."""
        stack = ExitStack()
        with suppress(OSError):
            stack.enter_context(locked(Path(self.cache_path) / ".zoo.lock", patience=_PATIENCE))
        return stack


def compiled(loop: Loop) -> Loop:
    """Compile a loop at its first call for the types of its arguments, which are arrays and numbers; without the GIL.

    The machine code is kept in `__pycache__` beside the source, or in numba's folder for the user, and is made anew
    when the loop's file changes: a loop calls no other file's.
    """
    return _compiled(loop, _FLOATS)


def compiled_as_written(loop: Loop) -> Loop:
    """`compiled`, with every product and every sum rounded by itself, in the order that is written."""
    return _compiled(loop, set())


def _compiled(loop: Loop, floats: set[str]) -> Loop:
    made: Any = numba.njit(loop, nogil=True, fastmath=floats, error_model="numpy")
    with suppress(RuntimeError):  # nowhere to write
        use_numba_cache(made, SharedCache(loop))
    return made


def inlined(loop: Loop) -> Loop:
    """A part of loops of its own file, written out in each: a call for each row costs up to a third of its time."""
    return numba.njit(loop, inline="always")


def _prefetch(context: Any, array: Any, place: Any) -> Any:
    """The types that `prefetch` takes, and the code that it is compiled to."""

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
prefetch: Callable[[Any, int], None] = cast("Any", intrinsic(_prefetch))


def over_rows(loop: Loop, offsets: np.ndarray, columns: int, *arguments: Any) -> None:
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
    """The number of shares that `over_rows` makes."""
    return torch.get_num_threads() if rows * columns >= _SHARED else 1


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that wait for work; a forked process has none of its parent's and gets its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="zoo-rows")


def array(x: Tensor | None, dtype: torch.dtype, dimensions: int = 2) -> Any:
    """The tensor's memory as an array, copied where it is not contiguous; without a tensor an array of no rows."""
    return _nothing(dtype, dimensions) if x is None else x.detach().contiguous().numpy()


def by_member(dimensions: int, *arrays: Any) -> Iterable[tuple[Any, ...]]:
    """The arrays of one network after the other, where features of so many dimensions are [members, nodes, width].

    Those that are not there are handed to each.
    """
    if dimensions == 2:
        return (arrays,)
    there = [part for part in arrays if len(part)]
    return (
        tuple(part[member] if len(part) else part for part in arrays) for member in range(len(there[0]) if there else 0)
    )


@cache
def numbers(dtype: torch.dtype, *values: float) -> Any:
    """Numbers in the precision of the features that they are to multiply."""
    return torch.tensor(values, dtype=dtype).numpy()


@cache
def _nothing(dtype: torch.dtype, dimensions: int) -> Any:
    return torch.empty((0,) * dimensions, dtype=dtype).numpy()
