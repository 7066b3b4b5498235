"""Constant features that are zero nearly everywhere, as bags of words are, and products that pass the zeros by."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional

from zoo.engine.buffers import Buffers
from zoo.engine.operators import NeighbourSum
from zoo.engine.structure import Structure, csr_matrix
from zoo.system.private import is_transformed

# The share of entries other than zero above which the dense product is as fast, and the number of entries below which
# neither takes long (docs/log.md).
_DENSE = 1 / 16
_SMALL = 1 << 18


class _Entries:
    """The entries of a matrix other than zero, which make it a graph from its columns to its rows, with weights.

    values: [entries]. places: int64 [entries], in the matrix laid out as one row. It is the kernel of `NeighbourSum`,
    which gives products with the matrix their gradients.
    """

    def __init__(self, structure: Structure, places: Tensor, values: Tensor, buffers: Buffers) -> None:
        self.structure, self.places, self.values, self.buffers = structure, places, values, buffers
        self._matrices: dict[bool, Tensor] = {}

    def with_values(self, values: Tensor) -> "_Entries":
        """A matrix with others in the same places."""
        return _Entries(self.structure, self.places, values, self.buffers)

    def are_all_of(self, x: Tensor) -> bool:
        """Return True if x has these entries and is zero elsewhere."""
        many = int(self.values.count_nonzero())
        return int(x.count_nonzero()) == many and torch.equal(x.take(self.places), self.values)

    def neighbour_sum(self, x: Tensor, reverse: bool, before: None, after: None) -> Tensor:
        """The matrix, or `reverse`, its transpose, times x."""
        if reverse not in self._matrices:
            rows = self.structure.rows(reverse)
            values = self.values.index_select(0, rows.edges)
            self._matrices[reverse] = csr_matrix(rows.offsets, rows.columns, values, (rows.count, rows.width))
        return self._matrices[reverse] @ x


# By the tensor's id as long as it lives: many modules hand a tensor on before it gets to the one that multiplies.
_known: dict[int, tuple[weakref.ref[Tensor], int, _Entries]] = {}
_unchanging: ContextVar[bool] = ContextVar("_unchanging", default=False)


@contextmanager
def unchanging() -> Iterator[None]:
    """Take marked features to stay what they are, having compared them once: for a training, which owns them.

    Elsewhere they are compared at each product: who writes to them through NumPy, or to `x.data`, leaves no trace.
    """
    for key, (reference, _, entries) in list(_known.items()):
        x = reference()
        if x is not None and not entries.are_all_of(x):
            _known.pop(key, None)
    before = _unchanging.set(True)
    try:
        yield
    finally:
        _unchanging.reset(before)


def mark_sparse(x: Tensor) -> str | None:
    """Let products with x pass its zeros by, until it is written to; the reason, or None if it would not pay.

    x: [nodes, width]. What is made of it counts as another tensor, unless `dropout` makes it.
    """
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or x.numel() < _SMALL:
        return None
    share = int(x.count_nonzero()) / x.numel()
    if not 0 < share <= _DENSE:
        return None
    row, column = x.nonzero(as_tuple=True)
    structure = Structure.of(column, row, x.shape[1], x.shape[0])
    _mark(x, _Entries(structure, row * x.shape[1] + column, x[row, column], Buffers()))
    return f"{share:.1%} of {x.shape[0]:,} x {x.shape[1]:,} features are not zero"


def skips_zeros(x: Tensor) -> bool:
    """Return True if `product` passes the zeros of x by."""
    return _found(x) is not None


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Return x @ weight; x: [nodes, in], weight: [in, out]."""
    entries = _found(x)
    if entries is None or weight.dtype != x.dtype:
        return x @ weight
    return NeighbourSum.apply(weight, entries, None, None, False)  # pyright: ignore[reportReturnType]


def dropout(x: Tensor, p: float) -> Tensor:
    """`torch.nn.functional.dropout` in training; of a marked x it draws for the entries other than zero alone."""
    entries = None if p in (0, 1) or is_transformed() else _found(x)
    if entries is None:
        return functional.dropout(x, p)
    kept = entries.with_values(functional.dropout(entries.values, p))
    y = entries.buffers.take(x.shape, x.dtype).zero_()
    y.view(-1)[kept.places] = kept.values
    _mark(y, kept)
    return y


def _mark(x: Tensor, entries: _Entries) -> None:
    key = id(x)
    _known[key] = weakref.ref(x, lambda _: _known.pop(key, None)), x._version, entries


def _found(x: Tensor) -> _Entries | None:
    """The entries of x, if it is marked and can be used so."""
    reference, version, entries = _known.get(id(x), (None, None, None))
    if reference is None or entries is None or reference() is not x or x._version != version or x.requires_grad:
        return None
    if torch.is_autocast_enabled(x.device.type):
        return None
    return entries if _unchanging.get() or entries.are_all_of(x) else None
