"""Sums that the edges weigh, and dot products along them, for several heads.

Of a graph in compressed rows `offsets` is [rows + 1], `columns` and `edges`, which edge each entry is, [entries].
Arrays are contiguous. first, last, part: see `zoo.engine.numba_compile.over_rows`.
"""

import numpy as np

from zoo.engine.numba_compile import Array, compiled


@compiled
def weighted_sum(
    offsets: Array,
    columns: Array,
    edges: Array,
    weights: Array,
    x: Array,
    y: Array,
    first: int,
    last: int,
    part: int,
) -> None:
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
def edge_dot(
    offsets: Array,
    columns: Array,
    edges: Array,
    row_side: Array,
    column_side: Array,
    z: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set z to row_side[i]·column_side[j] for each entry; z: [edges, heads], the sides: [·, heads, d]."""
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j, edge = columns[t], edges[t]
            for h in range(row_side.shape[1]):
                total = z.dtype.type(0)
                for k in range(row_side.shape[2]):
                    total += row_side[i, h, k] * column_side[j, h, k]
                z[edge, h] = total
