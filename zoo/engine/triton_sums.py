"""Triton's loops for sums over in-neighbours, for the rest of a block around them, and for products along edges.

As `zoo.engine.numba_sums`. Tensors are contiguous and on one device. Of a graph in compressed rows `offsets` is
[rows + 1], `columns` and `edges`, the edge ids, [entries], `before` [columns], `after` [rows]. Features are [·, width],
or [members, ·, width] of several networks, whose biases are [members, width]. No atomic operation is used: results are
the same in every run.
"""

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from zoo.engine.kernel import Added, Scaling
from zoo.engine.structure import Rows

# Fastest, within 5 %, of 36 tried on an H200 for rows of 5 to 15 entries, each by one warp (docs/log.md).
_ENTRIES = 8
_WIDEST = 128
# Rows that share a partial sum of the bias' gradient.
_ROWS = 64


def scaled_sum(rows: Rows, before: Tensor | None, after: Tensor | None, x: Tensor, y: Tensor) -> None:
    """Set y to after ∘ A (before ∘ x), of each member."""
    if not y.numel():
        return
    count, width = y.shape[-2:]
    tile = _tile_of(width)
    operands = rows.offsets, rows.columns, before, after, x, y, x.shape[-2], count, width
    _launch(_scaled_sum, (count, tile.across, _members(y)), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def block_forward(
    rows: Rows, scaling: Scaling, h: Tensor, added: Added, numbers: Tensor, y: Tensor, mask: Tensor | None
) -> None:
    """Set y to share·act(z) + skip_share·skip, z = after ∘ A (before ∘ h) + root + bias, and mask to z > 0.

    act(z) is z where z > 0, else slope·z. mask: bool, as y.
    numbers: slope, share, skip_share, in the precision of the others.
    """
    if not y.numel():
        return
    count, width = y.shape[-2:]
    tile = _tile_of(width)
    bytes_ = None if mask is None else mask.view(torch.uint8)
    graph = rows.offsets, rows.columns, scaling.before, scaling.after
    operands = *graph, h, *added, numbers, y, bytes_, h.shape[-2], count, width
    _launch(_block_forward, (count, tile.across, _members(y)), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def block_backward(dy: Tensor, mask: Tensor | None, numbers: Tensor, dz: Tensor) -> Tensor:
    """Set dz to share·dy where mask, elsewhere to slope·share·dy, and return its sum over the rows, as biases are.

    numbers: slope, share. Without a mask dz is share·dy.
    """
    *members, rows, width = dy.shape
    if not dz.numel():
        return dy.new_zeros(*members, width)
    tile = _tile_of(width)
    partial = dy.new_empty(*members, triton.cdiv(rows, _ROWS), width)
    bytes_ = None if mask is None else mask.view(torch.uint8)
    operands = dy, bytes_, numbers, dz, partial, rows, width
    constants = {"ROWS": _ROWS, "STEP": tile.entries, "WIDTH": tile.width}
    _launch(_block_backward, (partial.shape[-2], tile.across, _members(dy)), *operands, warps=4, **constants)
    return partial.sum(-2)


def weighted_sum(rows: Rows, weights: Tensor, x: Tensor, y: Tensor) -> None:
    """Set y to each row's sum of x over its columns, weighted; x, y: [·, heads, d], weights: [edges, heads]."""
    if not y.numel():
        return
    _, heads, d = y.shape
    tile = _tile_of(heads * d)
    operands = rows.offsets, rows.columns, rows.edges, weights, x, y, heads, d
    _launch(_weighted_sum, (y.shape[0], tile.across), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def edge_dot(rows: Rows, row_side: Tensor, column_side: Tensor, z: Tensor) -> None:
    """Set z [edges, heads] to the dot products of both ends' features; row_side, column_side: [·, heads, d]."""
    if not z.numel():
        return
    count, heads, d = row_side.shape
    tile = _tile_of(d)
    operands = rows.offsets, rows.columns, rows.edges, row_side, column_side, z, heads, d
    _launch(_edge_dot, (count, heads), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


@dataclass(frozen=True)
class _Tile:
    """entries × width features at a time; `across` programs stand beside each other in a row."""

    entries: int
    width: int
    across: int


def _tile_of(width: int) -> _Tile:
    """The tile for rows of so many features."""
    wide = min(triton.next_power_of_2(width), _WIDEST)
    return _Tile(_ENTRIES, wide, triton.cdiv(width, wide))


def _launch(loop: Any, grid: tuple[int, ...], *operands: Any, warps: int = 1, **constants: int) -> None:
    """Run a loop in a grid (rows, across, …) of programs of so many warps each."""
    loop[grid](*operands, num_warps=warps, **constants)


def _members(x: Tensor) -> int:
    return len(x) if x.dim() == 3 else 1


@triton.jit
def _row_sum(offsets, columns, before, x, row, place, within, width, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    """Sum before ∘ x over one row's columns, some features wide."""
    first, last = tl.load(offsets + row), tl.load(offsets + row + 1)
    total = tl.zeros((WIDTH,), x.dtype.element_ty)
    for begin in range(first, last, ENTRIES):
        entry = begin + tl.arange(0, ENTRIES)
        inside = entry < last
        column = tl.load(columns + entry, mask=inside, other=0).to(tl.int64)
        part = tl.load(x + column[:, None] * width + place[None, :], mask=inside[:, None] & within[None, :], other=0.0)
        if before is not None:
            part *= tl.load(before + column, mask=inside, other=0.0)[:, None]
        total += tl.sum(part, axis=0)
    return total


@triton.jit
def _scaled_sum(
    offsets, columns, before, after, x, y, sources, rows, width, ENTRIES: tl.constexpr, WIDTH: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    member = tl.program_id(2).to(tl.int64)
    x += member * sources * width
    y += member * rows * width
    place = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    within = place < width
    total = _row_sum(offsets, columns, before, x, row, place, within, width, ENTRIES, WIDTH)
    if after is not None:
        total *= tl.load(after + row)
    tl.store(y + row * width + place, total, mask=within)


@triton.jit
def _block_forward(
    offsets,
    columns,
    before,
    after,
    h,
    root,
    bias,
    skip,
    numbers,
    y,
    mask,
    sources,
    rows,
    width,
    ENTRIES: tl.constexpr,
    WIDTH: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    within = place < width
    member = tl.program_id(2).to(tl.int64)
    h += member * sources * width
    here = (member * rows + row) * width + place
    z = _row_sum(offsets, columns, before, h, row, place, within, width, ENTRIES, WIDTH)
    if after is not None:
        z *= tl.load(after + row)
    if root is not None:
        z += tl.load(root + here, mask=within)
    if bias is not None:
        z += tl.load(bias + member * width + place, mask=within)
    if mask is not None:
        tl.store(mask + here, (z > 0).to(tl.uint8), mask=within)
    z = tl.where(z > 0, z, z * tl.load(numbers)) * tl.load(numbers + 1)
    if skip is not None:
        z += tl.load(skip + here, mask=within) * tl.load(numbers + 2)
    tl.store(y + here, z, mask=within)


@triton.jit
def _block_backward(
    dy, mask, numbers, dz, partial, rows, width, ROWS: tl.constexpr, STEP: tl.constexpr, WIDTH: tl.constexpr
):
    begin = tl.program_id(0).to(tl.int64) * ROWS
    member = tl.program_id(2).to(tl.int64)
    place = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    slope, share = tl.load(numbers), tl.load(numbers + 1)
    total = tl.zeros((WIDTH,), dy.dtype.element_ty)
    for step in range(0, ROWS, STEP):
        row = begin + step + tl.arange(0, STEP)
        inside = (row < rows)[:, None] & (place < width)[None, :]
        here = (member * rows + row[:, None]) * width + place[None, :]
        part = tl.load(dy + here, mask=inside, other=0.0) * share
        if mask is not None:
            part = tl.where(tl.load(mask + here, mask=inside, other=0) != 0, part, part * slope)
        tl.store(dz + here, part, mask=inside)
        total += tl.sum(part, axis=0)
    part_of = member * tl.num_programs(0) + tl.program_id(0)
    tl.store(partial + part_of * width + place, total, mask=place < width)


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
