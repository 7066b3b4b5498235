"""Attention over in-neighbours: scores, their softmax, the sum that it weighs, and what these are backwards.

Of a graph in compressed rows `offsets` is [rows + 1], `columns` [entries]. In the rows of destinations the columns are
sources; in their order stands everything that is [entries, heads]. values: [sources, heads, d]. Arrays are contiguous,
and those that are not there have no rows. first, last, part: see `zoo.compiled.engine.over_rows`.
"""

import math

import numpy as np

from zoo.compiled.engine import Array, compiled, inlined


@compiled
def _below(logits: Array, begin: int, end: int, shift: Array, i: int, known: bool) -> None:
    """Subtract shift[i] from the logits of row i; unless it is known, set it to the largest of each head first."""
    if not known:
        for h in range(shift.shape[1]):
            shift[i, h] = -np.inf
        for t in range(begin, end):
            for h in range(shift.shape[1]):
                if logits[t, h] > shift[i, h]:  # where NaN stands it is passed over here, and kept below
                    shift[i, h] = logits[t, h]
    for t in range(begin, end):
        for h in range(shift.shape[1]):
            logits[t, h] -= shift[i, h]


@inlined
def _weigh(offsets: Array, columns: Array, entries: Array, weights: Array, x: Array, i: int, totals: Array) -> None:
    """Set totals to Σ weights · x[j] of row i, head by head; x: [columns, heads, d], totals: [heads, d].

    entries: where the weights of each entry stand; without any they stand in its own place.
    """
    heads, d = totals.shape
    for h in range(heads):
        for k in range(d):
            totals[h, k] = 0
    t, end = offsets[i], offsets[i + 1]
    while t + 1 < end:  # two at a time: half as many loads and stores of the totals
        one, two = columns[t], columns[t + 1]
        at_one, at_two = (entries[t], entries[t + 1]) if entries.shape[0] else (t, t + 1)
        for h in range(heads):
            weight_one, weight_two = weights[at_one, h], weights[at_two, h]
            for k in range(d):
                totals[h, k] += weight_one * x[one, h, k] + weight_two * x[two, h, k]
        t += 2
    if t < end:
        one, at_one = columns[t], entries[t] if entries.shape[0] else t
        for h in range(heads):
            weight_one = weights[at_one, h]
            for k in range(d):
                totals[h, k] += weight_one * x[one, h, k]


@compiled
def _drop(begin: int, end: int, keep: Array, scale: float, weights: Array) -> None:
    """Multiply the weights of these entries by scale where keep, else by 0."""
    nought = weights.dtype.type(0)
    if keep.shape[0]:
        for t in range(begin, end):
            for h in range(weights.shape[1]):
                weights[t, h] *= scale if keep[t, h] else nought


@compiled
def static_logits(
    offsets: Array,
    columns: Array,
    scores: Array,
    numbers: Array,
    logits: Array,
    shift: Array,
    known: bool,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set logits to leaky(scores[j, 0] + scores[i, 1]) − shift[i], see `_below`; scores: [sources, 2, heads].

    numbers: the leaky ReLU's slope.
    """
    slope = numbers[0]
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(logits.shape[1]):
                sum_ = scores[j, 0, h] + scores[i, 1, h]
                logits[t, h] = sum_ if sum_ > 0 else slope * sum_
        _below(logits, offsets[i], offsets[i + 1], shift, i, known)


@compiled
def dynamic_logits(
    offsets: Array,
    columns: Array,
    values: Array,
    targets: Array,
    attention: Array,
    numbers: Array,
    logits: Array,
    shift: Array,
    known: bool,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set logits to Σ_k attention[·, k] leaky(values[j, ·, k] + targets[i, ·, k]) − shift[i], see `_below`.

    targets: [rows, heads, d]. attention: [heads, d]. numbers: the leaky ReLU's slope.
    """
    slope = numbers[0]
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(values.shape[1]):
                total = values.dtype.type(0)
                for k in range(values.shape[2]):
                    sum_ = values[j, h, k] + targets[i, h, k]
                    total += attention[h, k] * (sum_ if sum_ > 0 else slope * sum_)
                logits[t, h] = total
        _below(logits, offsets[i], offsets[i + 1], shift, i, known)


@compiled
def attention_forward(
    offsets: Array,
    columns: Array,
    values: Array,
    powers: Array,
    keep: Array,
    in_place: Array,
    bias: Array,
    skip: Array,
    numbers: Array,
    shift: Array,
    y: Array,
    mask: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set y to share·act(z) + skip_share·skip, mask to z > 0, and add the logarithm of the softmax's divisor to shift.

    z = Σ_j p_ij m_ij values[j] + bias, with p the powers, exp(logits), divided by their sum in the row, and m the
    dropout: scale where keep, bool [entries, heads], else 0. act(z) is z where z > 0, else slope·z. bias: [width],
    with width = heads·d; skip, y: [rows, width]; mask: bool, of that shape. shift: [rows, heads]. numbers: slope,
    share, skip_share, scale.
    """
    slope, share, skip_share, scale = numbers
    heads, d = values.shape[1], values.shape[2]
    totals, divisors = np.empty((heads, d), values.dtype), np.empty(heads, values.dtype)
    total, one = totals.reshape(-1), values.dtype.type(1)
    for i in range(first, last):
        begin, end = offsets[i], offsets[i + 1]
        for h in range(heads):
            divisors[h] = 0
        for t in range(begin, end):
            for h in range(heads):
                divisors[h] += powers[t, h]
        _drop(begin, end, keep, scale, powers)
        _weigh(offsets, columns, in_place, powers, values, i, totals)
        if begin < end:
            for h in range(heads):
                factor = one / divisors[h]
                shift[i, h] += math.log(divisors[h])
                for k in range(d):
                    totals[h, k] *= factor
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


@inlined
def _softmax_backward(
    offsets: Array,
    columns: Array,
    values: Array,
    dz: Array,
    keep: Array,
    scale: float,
    weights: Array,
    dlogits: Array,
    means: Array,
    i: int,
) -> None:
    """In row i set dlogits to the gradient at the logits, from dz at the sum, and weights to those after dropout.

    weights: the softmax. means: [heads], written to.
    """
    begin, end, nought = offsets[i], offsets[i + 1], values.dtype.type(0)
    for h in range(means.shape[0]):
        means[h] = 0
    for t in range(begin, end):
        j = columns[t]
        for h in range(values.shape[1]):
            total = nought
            for k in range(values.shape[2]):
                total += dz[i, h, k] * values[j, h, k]
            if keep.shape[0]:
                total *= scale if keep[t, h] else nought
            dlogits[t, h] = total
            means[h] += weights[t, h] * total
    for t in range(begin, end):
        for h in range(means.shape[0]):
            dlogits[t, h] = weights[t, h] * (dlogits[t, h] - means[h])
    _drop(begin, end, keep, scale, weights)


@compiled
def static_backward_rows(
    offsets: Array,
    columns: Array,
    scores: Array,
    values: Array,
    dz: Array,
    keep: Array,
    numbers: Array,
    weights: Array,
    dlogits: Array,
    dtargets: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set dlogits to the gradient at scores[j, 0] + scores[i, 1], dtargets to its sum in each row: [rows, heads].

    dz: [rows, heads, d]. weights: the softmax, then those after dropout. numbers: the leaky ReLU's slope, and scale.
    """
    slope, one = numbers[0], values.dtype.type(1)
    means = np.empty(values.shape[1], values.dtype)
    for i in range(first, last):
        _softmax_backward(offsets, columns, values, dz, keep, numbers[1], weights, dlogits, means, i)
        for h in range(means.shape[0]):
            dtargets[i, h] = 0
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(means.shape[0]):
                dlogits[t, h] *= one if scores[j, 0, h] + scores[i, 1, h] > 0 else slope
                dtargets[i, h] += dlogits[t, h]


@compiled
def static_backward_columns(
    offsets: Array,
    columns: Array,
    entries: Array,
    weights: Array,
    dlogits: Array,
    dz: Array,
    values: Array,
    source: Array,
    target: Array,
    dtargets: Array,
    dvalues: Array,
    dsource: Array,
    dtarget: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set dvalues to the gradient at the values, dsource[part] and dtarget[part] to those at the attention vectors.

    offsets, columns: of the rows of sources, where the columns are destinations; entries: their numbers in the rows of
    destinations. source, target: [heads, d]. The rest is as `static_backward_rows` leaves it.
    """
    heads, d = values.shape[1], values.shape[2]
    at_source, totals = np.empty(heads, values.dtype), np.empty((heads, d), values.dtype)
    for h in range(heads):
        for k in range(d):
            dsource[part, h, k] = 0
            dtarget[part, h, k] = 0
    for j in range(first, last):
        _weigh(offsets, columns, entries, weights, dz, j, totals)
        for h in range(heads):
            at_source[h] = 0
        for t in range(offsets[j], offsets[j + 1]):
            for h in range(heads):
                at_source[h] += dlogits[entries[t], h]
        for h in range(heads):
            left = at_source[h]
            for k in range(d):
                dvalues[j, h, k] = totals[h, k] + left * source[h, k]
                dsource[part, h, k] += left * values[j, h, k]
        if j < dtargets.shape[0]:
            for h in range(heads):
                right = dtargets[j, h]
                for k in range(d):
                    dvalues[j, h, k] += right * target[h, k]
                    dtarget[part, h, k] += right * values[j, h, k]


@compiled
def dynamic_backward_rows(
    offsets: Array,
    columns: Array,
    values: Array,
    targets: Array,
    attention: Array,
    dz: Array,
    keep: Array,
    numbers: Array,
    weights: Array,
    dlogits: Array,
    dtargets: Array,
    dattention: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set dlogits to the gradient at the logits, dtargets to that at the targets, dattention[part] at the attention.

    The arguments are as for `static_backward_rows` and `dynamic_logits`.
    """
    slope = numbers[0]
    heads, d = values.shape[1], values.shape[2]
    means, slants = np.empty(heads, values.dtype), np.empty((heads, d), values.dtype)
    for h in range(heads):
        for k in range(d):
            dattention[part, h, k] = 0
    for i in range(first, last):
        _softmax_backward(offsets, columns, values, dz, keep, numbers[1], weights, dlogits, means, i)
        for h in range(heads):
            for k in range(d):
                slants[h, k] = 0
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(heads):
                dlogit = dlogits[t, h]
                for k in range(d):
                    sum_ = values[j, h, k] + targets[i, h, k]
                    slant = dlogit if sum_ > 0 else dlogit * slope
                    slants[h, k] += slant
                    dattention[part, h, k] += slant * sum_
        for h in range(heads):
            for k in range(d):
                dtargets[i, h, k] = slants[h, k] * attention[h, k]


@compiled
def dynamic_backward_columns(
    offsets: Array,
    columns: Array,
    entries: Array,
    weights: Array,
    dlogits: Array,
    dz: Array,
    values: Array,
    targets: Array,
    attention: Array,
    numbers: Array,
    dvalues: Array,
    first: int,
    last: int,
    part: int,
) -> None:
    """Set dvalues to the gradient at the values; the arguments are as for `static_backward_columns`."""
    slope = numbers[0]
    heads, d = values.shape[1], values.shape[2]
    totals, slants = np.empty((heads, d), values.dtype), np.empty((heads, d), values.dtype)
    for j in range(first, last):
        _weigh(offsets, columns, entries, weights, dz, j, totals)
        for h in range(heads):
            for k in range(d):
                slants[h, k] = 0
        for t in range(offsets[j], offsets[j + 1]):
            i, entry = columns[t], entries[t]
            for h in range(heads):
                dlogit = dlogits[entry, h]
                for k in range(d):
                    slants[h, k] += dlogit if values[j, h, k] + targets[i, h, k] > 0 else dlogit * slope
        for h in range(heads):
            for k in range(d):
                dvalues[j, h, k] = totals[h, k] + slants[h, k] * attention[h, k]
