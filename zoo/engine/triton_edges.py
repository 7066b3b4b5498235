"""Products with a weight for each edge and head; as `zoo.engine.numba_sums`.

Tensors are contiguous and on one device. `edges` are the edge ids of a graph's entries in compressed rows.
"""

import triton
import triton.language as tl
from torch import Tensor

from zoo.engine.triton_tiles import launch, tile_of


def weighted_sum(offsets: Tensor, columns: Tensor, edges: Tensor, weights: Tensor, x: Tensor, y: Tensor) -> None:
    """Set y to each row's sum of x over its columns, weighted; x, y: [·, heads, d], weights: [edges, heads]."""
    if not y.numel():
        return
    _, heads, d = y.shape
    tile = tile_of(heads * d)
    operands = offsets, columns, edges, weights, x, y, heads, d
    launch(_weighted_sum, (y.shape[0], tile.across), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def edge_dot(offsets: Tensor, columns: Tensor, edges: Tensor, row_side: Tensor, column_side: Tensor, z: Tensor) -> None:
    """Set z [edges, heads] to the dot products of both ends' features; row_side, column_side: [·, heads, d]."""
    if not z.numel():
        return
    rows, heads, d = row_side.shape
    tile = tile_of(d)
    operands = offsets, columns, edges, row_side, column_side, z, heads, d
    launch(_edge_dot, (rows, heads), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


@triton.jit
def _weighted_sum(offsets, columns, edges, weights, x, y, heads, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    within = place < heads * d
    head = place // d
    first, last = tl.load(offsets + row), tl.load(offsets + row + 1)
    total = tl.zeros((WIDTH,), x.dtype.element_ty)
    for begin in range(first, last, ENTRIES):
        entry = begin + tl.arange(0, ENTRIES)
        inside = entry < last
        column = tl.load(columns + entry, mask=inside, other=0).to(tl.int64)
        edge = tl.load(edges + entry, mask=inside, other=0).to(tl.int64)
        both = inside[:, None] & within[None, :]
        weight = tl.load(weights + edge[:, None] * heads + head[None, :], mask=both, other=0.0)
        part = tl.load(x + column[:, None] * (heads * d) + place[None, :], mask=both, other=0.0)
        total += tl.sum(weight * part, axis=0)
    tl.store(y + row * (heads * d) + place, total, mask=within)


@triton.jit
def _edge_dot(offsets, columns, edges, row_side, column_side, z, heads, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    row, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    first, last = tl.load(offsets + row), tl.load(offsets + row + 1)
    for begin in range(first, last, ENTRIES):
        entry = begin + tl.arange(0, ENTRIES)
        inside = entry < last
        column = tl.load(columns + entry, mask=inside, other=0).to(tl.int64)
        total = tl.zeros((ENTRIES,), row_side.dtype.element_ty)
        for start in range(0, d, WIDTH):
            place = start + tl.arange(0, WIDTH)
            within = place < d
            one = tl.load(row_side + (row * heads + head) * d + place, mask=within, other=0.0)
            other = column_side + (column[:, None] * heads + head) * d + place[None, :]
            part = tl.load(other, mask=inside[:, None] & within[None, :], other=0.0)
            total += tl.sum(part * one[None, :], axis=1)
        edge = tl.load(edges + entry, mask=inside, other=0).to(tl.int64)
        tl.store(z + edge * heads + head, total, mask=inside)
