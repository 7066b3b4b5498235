"""Sums over in-neighbours, and what a block does right after one or before one backwards; as `zoo.engine.numba_sums`.

Tensors are contiguous and on one device. Of a graph in compressed rows `offsets` is [rows + 1], `columns` [entries],
`before` [columns], `after` [rows]. Features are [·, width], or [members, ·, width] of several networks, whose biases
are [members, width]. No atomic operation is used: results are the same in every run.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from zoo.engine.triton_tiles import launch, tile_of

# Rows that share a partial sum of the bias' gradient.
_ROWS = 64


def scaled_sum(
    offsets: Tensor, columns: Tensor, before: Tensor | None, after: Tensor | None, x: Tensor, y: Tensor
) -> None:
    """Set y to after ∘ A (before ∘ x), of each member."""
    if not y.numel():
        return
    rows, width = y.shape[-2:]
    tile = tile_of(width)
    operands = offsets, columns, before, after, x, y, x.shape[-2], rows, width
    launch(_scaled_sum, (rows, tile.across, _members(y)), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def block_forward(
    offsets: Tensor,
    columns: Tensor,
    before: Tensor | None,
    after: Tensor | None,
    h: Tensor,
    root: Tensor | None,
    bias: Tensor | None,
    skip: Tensor | None,
    numbers: Tensor,
    y: Tensor,
    mask: Tensor | None,
) -> None:
    """Set y to share·act(z) + skip_share·skip, z = after ∘ A (before ∘ h) + root + bias, and mask to z > 0.

    act(z) is z where z > 0, else slope·z. mask: bool, as y.
    numbers: slope, share, skip_share, in the precision of the others.
    """
    if not y.numel():
        return
    rows, width = y.shape[-2:]
    tile = tile_of(width)
    bytes_ = None if mask is None else mask.view(torch.uint8)
    operands = offsets, columns, before, after, h, root, bias, skip, numbers, y, bytes_, h.shape[-2], rows, width
    launch(_block_forward, (rows, tile.across, _members(y)), *operands, ENTRIES=tile.entries, WIDTH=tile.width)


def block_backward(dy: Tensor, mask: Tensor | None, numbers: Tensor, dz: Tensor) -> Tensor:
    """Set dz to share·dy where mask, elsewhere to slope·share·dy, and return its sum over the rows, as biases are.

    numbers: slope, share. Without a mask dz is share·dy.
    """
    *members, rows, width = dy.shape
    if not dz.numel():
        return dy.new_zeros(*members, width)
    tile = tile_of(width)
    partial = dy.new_empty(*members, triton.cdiv(rows, _ROWS), width)
    bytes_ = None if mask is None else mask.view(torch.uint8)
    operands = dy, bytes_, numbers, dz, partial, rows, width
    constants = {"ROWS": _ROWS, "STEP": tile.entries, "WIDTH": tile.width}
    launch(_block_backward, (partial.shape[-2], tile.across, _members(dy)), *operands, warps=4, **constants)
    return partial.sum(-2)


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
