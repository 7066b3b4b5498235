"""Loops for sums over in-neighbours, for the rest of a block around them, and for products along edges.

Arrays are contiguous, and absent ones have no rows. Of a graph in compressed rows `offsets` is [rows + 1], `columns`
and `edges`, the edge of each entry, [entries], `before` [columns], `after` [rows]. first, last, part: see
`zoo.engine.numba_compile.over_rows`.
"""

import numpy as np

from zoo.engine.numba_compile import compiled, prefetch

# So many entries before it is summed up a row is fetched: from far away when it is not in the cache (docs/log.md).
_AHEAD = 8
# So many rows before it is written one of the result is fetched: in a deep network it was last touched a step ago.
_ROWS_AHEAD = 4
# So many rows are summed before what follows a sum is done to them, still in the cache: a call for each is dear.
_TOGETHER = 32


@compiled
def scaled_sum(offsets, columns, before, after, x, y, first, last, part) -> None:
    """Set y to after ∘ A (before ∘ x); x, y: [·, width]."""
    width, line = x.shape[1], 64 // x.itemsize
    flat, final = x.reshape(-1), columns.shape[0] - 1
    result, lowest = y.reshape(-1), y.shape[0] - 1
    total = np.empty(width, x.dtype)
    for i in range(first, last):
        row_ahead = min(i + _ROWS_AHEAD, lowest) * width
        for k in range(0, width, line):
            prefetch(result, row_ahead + k)
        for k in range(width):
            total[k] = 0
        entry, end = offsets[i], offsets[i + 1]
        while entry + 1 < end:  # two at a time: half as many loads and stores of the total
            next_one = columns[min(entry + _AHEAD, final)] * width
            next_two = columns[min(entry + _AHEAD + 1, final)] * width
            for k in range(0, width, line):
                prefetch(flat, next_one + k)
                prefetch(flat, next_two + k)
            one, two = columns[entry], columns[entry + 1]
            scale_one, scale_two = before[one], before[two]
            for k in range(width):
                total[k] += scale_one * x[one, k] + scale_two * x[two, k]
            entry += 2
        if entry < end:
            next_one = columns[min(entry + _AHEAD, final)] * width
            for k in range(0, width, line):
                prefetch(flat, next_one + k)
            one = columns[entry]
            scale_one = before[one]
            for k in range(width):
                total[k] += scale_one * x[one, k]
        for k in range(width):
            y[i, k] = after[i] * total[k]


@compiled
def block_forward(offsets, columns, before, after, h, root, bias, skip, numbers, y, mask, first, last, part) -> None:
    """Set y to share·act(z) + skip_share·skip, z = after ∘ A (before ∘ h) + root + bias, and mask to z > 0.

    act(z) is z where z > 0, else slope·z. h, root, skip, y: [·, width]. bias: [width]. mask: bool [rows, width].
    numbers: slope, share, skip_share, in the precision of the others.
    """
    slope, share, skip_share = numbers
    width = h.shape[1]
    for begin in range(first, last, _TOGETHER):
        end = min(begin + _TOGETHER, last)
        scaled_sum(offsets, columns, before, after, h, y, begin, end, part)
        for i in range(begin, end):
            if root.shape[0]:
                for k in range(width):
                    y[i, k] += root[i, k]
            if bias.shape[0]:
                for k in range(width):
                    y[i, k] += bias[k]
            if mask.shape[0]:
                for k in range(width):
                    mask[i, k] = y[i, k] > 0
            for k in range(width):
                y[i, k] *= share * slope if y[i, k] <= 0 else share  # NaN is not at most 0, and stays NaN
            if skip.shape[0]:
                for k in range(width):
                    y[i, k] += skip_share * skip[i, k]


@compiled
def block_backward(dy, mask, numbers, dz, dbias, first, last, part) -> None:
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


@compiled
def weighted_sum(offsets, columns, edges, weights, x, y, first, last, part) -> None:
    """Set y to Σ weights · x[j] for each row; weights: [edges, heads], x: [columns, heads, d], y: [rows, heads, d]."""
    heads, d = x.shape[1], x.shape[2]
    totals = np.empty((heads, d), x.dtype)
    for i in range(first, last):
        for h in range(heads):
            for k in range(d):
                totals[h, k] = 0
        for t in range(offsets[i], offsets[i + 1]):
            j, edge = columns[t], edges[t]
            for h in range(heads):
                weight = weights[edge, h]
                for k in range(d):
                    totals[h, k] += weight * x[j, h, k]
        for h in range(heads):
            for k in range(d):
                y[i, h, k] = totals[h, k]


@compiled
def edge_dot(offsets, columns, edges, row_side, column_side, z, first, last, part) -> None:
    """Set z to row_side[i]·column_side[j] for each entry; z: [edges, heads], the sides: [·, heads, d]."""
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j, edge = columns[t], edges[t]
            for h in range(row_side.shape[1]):
                total = z.dtype.type(0)
                for k in range(row_side.shape[2]):
                    total += row_side[i, h, k] * column_side[j, h, k]
                z[edge, h] = total
