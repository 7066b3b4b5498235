"""Sums over in-neighbours, and what a block does right after one or before one backwards.

Arrays are contiguous, and those that are not there have no rows. Of a graph in compressed rows `offsets` is [rows + 1],
`columns` [entries], `before` [columns], `after` [rows]. first, last, part: see `zoo.compiled.engine.over_rows`.
"""

import numpy as np

from zoo.compiled.engine import Array, compiled


@compiled
def _sum_row(offsets: Array, columns: Array, before: Array, x: Array, i: int, total: Array) -> None:
    """Set total to Σ before[j] · x[j], j running over the columns of row i."""
    for k in range(total.shape[0]):
        total[k] = 0
    entry, end = offsets[i], offsets[i + 1]
    while entry + 1 < end:  # two at a time: half as many loads and stores of the total
        one, two = columns[entry], columns[entry + 1]
        scale_one, scale_two = before[one], before[two]
        for k in range(total.shape[0]):
            total[k] += scale_one * x[one, k] + scale_two * x[two, k]
        entry += 2
    if entry < end:
        one = columns[entry]
        scale_one = before[one]
        for k in range(total.shape[0]):
            total[k] += scale_one * x[one, k]


@compiled
def scaled_sum(
    offsets: Array, columns: Array, before: Array, after: Array, x: Array, y: Array, first: int, last: int, part: int
) -> None:
    """Set y to after ∘ A (before ∘ x); x, y: [·, width]."""
    total = np.empty(x.shape[1], x.dtype)
    for i in range(first, last):
        _sum_row(offsets, columns, before, x, i, total)
        for k in range(total.shape[0]):
            y[i, k] = after[i] * total[k]


@compiled
def block_forward(
    offsets: Array,
    columns: Array,
    before: Array,
    after: Array,
    h: Array,
    root: Array,
    bias: Array,
    skip: Array,
    numbers: Array,
    y: Array,
    mask: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set y to share·act(z) + skip_share·skip, z = after ∘ A (before ∘ h) + root + bias, and mask to z > 0.

    act(z) is z where z > 0, else slope·z. h, root, skip, y: [·, width]. bias: [width]. mask: bool [rows, width].
    numbers: slope, share, skip_share, in the precision of the others.
    """
    slope, share, skip_share = numbers
    total = np.empty(h.shape[1], h.dtype)
    for i in range(first, last):
        _sum_row(offsets, columns, before, h, i, total)
        for k in range(total.shape[0]):
            total[k] *= after[i]
        if root.shape[0]:
            for k in range(total.shape[0]):
                total[k] += root[i, k]
        if bias.shape[0]:
            for k in range(total.shape[0]):
                total[k] += bias[k]
        if mask.shape[0]:
            for k in range(total.shape[0]):
                mask[i, k] = total[k] > 0
        for k in range(total.shape[0]):
            total[k] *= share * slope if total[k] <= 0 else share  # NaN is not at most 0, and stays NaN
        if skip.shape[0]:
            for k in range(total.shape[0]):
                y[i, k] = total[k] + skip_share * skip[i, k]
        else:
            for k in range(total.shape[0]):
                y[i, k] = total[k]


@compiled
def block_backward(
    dy: Array, mask: Array, numbers: Array, dz: Array, dbias: Array, first: int, last: int, part: int
) -> None:
    """Set dz to share·act'(z) ∘ dy of `block_forward`, and dbias[part] to its sum over the rows.

    dy, dz: [rows, width]. Without a mask act'(z) is 1. numbers: slope, share.
    """
    slope, share = numbers
    for k in range(dy.shape[1]):
        dbias[part, k] = 0
    for i in range(first, last):
        if mask.shape[0]:
            for k in range(dy.shape[1]):
                dz[i, k] = dy[i, k] * (share if mask[i, k] else share * slope)
        else:
            for k in range(dy.shape[1]):
                dz[i, k] = dy[i, k] * share
        for k in range(dy.shape[1]):
            dbias[part, k] += dz[i, k]
