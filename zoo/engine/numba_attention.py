"""Attention over in-neighbours: scores, their softmax, the sum that it weighs, and what these are backwards.

Of a graph in compressed rows `offsets` is [rows + 1], `columns` [entries]. In the rows of destinations the columns are
sources; in their order stands everything that is [entries, heads]. values: [sources, heads, d]. Arrays are contiguous,
and those that are not there have no rows. first, last, part: see `zoo.engine.numba_compile.over_rows`.
"""

import numpy as np

from zoo.engine.numba_compile import compiled, compiled_as_written, inlined


@compiled
def _below(logits, begin, end, largest) -> None:
    """Subtract from the logits of a row the largest of each head, which is left in `largest`."""
    for h in range(len(largest)):
        largest[h] = -np.inf
    for t in range(begin, end):
        for h in range(len(largest)):
            if logits[t, h] > largest[h]:  # where NaN stands it is passed over here, and kept below
                largest[h] = logits[t, h]
    for t in range(begin, end):
        for h in range(len(largest)):
            logits[t, h] -= largest[h]


@inlined
def _weigh(offsets, columns, entries, weights, x, i, totals) -> None:
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
                totals[h, k] = totals[h, k] + weight_one * x[one, h, k] + weight_two * x[two, h, k]
        t += 2
    if t < end:
        one, at_one = columns[t], entries[t] if entries.shape[0] else t
        for h in range(heads):
            weight_one = weights[at_one, h]
            for k in range(d):
                totals[h, k] += weight_one * x[one, h, k]


@compiled
def _drop(begin, end, keep, scale, weights) -> None:
    """Multiply the weights of these entries by scale where keep, else by 0."""
    nought = weights.dtype.type(0)
    if keep.shape[0]:
        for t in range(begin, end):
            for h in range(weights.shape[1]):
                weights[t, h] *= scale if keep[t, h] else nought


@compiled
def static_logits(offsets, columns, scores, numbers, logits, first, last, part) -> None:
    """Set logits to leaky(scores[j, 0] + scores[i, 1]) less the row's largest; scores: [sources, 2, heads].

    numbers: the leaky ReLU's slope.
    """
    slope, largest = numbers[0], np.empty(logits.shape[1], logits.dtype)
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(logits.shape[1]):
                sum_ = scores[j, 0, h] + scores[i, 1, h]
                logits[t, h] = sum_ if sum_ > 0 else slope * sum_
        _below(logits, offsets[i], offsets[i + 1], largest)


@compiled
def dynamic_logits(offsets, columns, values, targets, attention, numbers, logits, first, last, part) -> None:
    """Set logits to Σ_k attention[·, k] leaky(values[j, ·, k] + targets[i, ·, k]) less the row's largest.

    targets: [rows, heads, d]. attention: [heads, d]. numbers: the leaky ReLU's slope.
    """
    slope, largest = numbers[0], np.empty(logits.shape[1], logits.dtype)
    for i in range(first, last):
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(values.shape[1]):
                total = values.dtype.type(0)
                for k in range(values.shape[2]):
                    sum_ = values[j, h, k] + targets[i, h, k]
                    total += attention[h, k] * (sum_ if sum_ > 0 else slope * sum_)
                logits[t, h] = total
        _below(logits, offsets[i], offsets[i + 1], largest)


@compiled_as_written
def attention_forward(
    offsets, columns, values, powers, keep, in_place, bias, skip, numbers, y, mask, first, last, part
) -> None:
    """Set y to share·act(z) + skip_share·skip, and mask to z > 0.

    z = Σ_j p_ij m_ij values[j] + bias, with p the powers, exp(logits), divided by their sum in the row, and m the
    dropout: scale where keep, bool [entries, heads], else 0. act(z) is z where z > 0, else slope·z. bias: [width],
    with width = heads·d; skip, y: [rows, width]; mask: bool, of that shape. numbers: slope, share, skip_share, scale.

    Compiled as it is written, so that PyTorch's sparse products, where they round every term, give the same bits: in
    deep networks without a normaliser attention tells differences of one bit apart.
    """
    slope, share, skip_share, scale = numbers
    heads, d = values.shape[1], values.shape[2]
    totals, divisors = np.empty((heads, d), values.dtype), np.empty(heads, values.dtype)
    total = totals.reshape(-1)
    for i in range(first, last):
        begin, end = offsets[i], offsets[i + 1]
        for h in range(heads):
            divisors[h] = 0
        for t in range(begin, end):
            for h in range(heads):
                divisors[h] += powers[t, h]
        for t in range(begin, end):
            for h in range(heads):
                powers[t, h] /= divisors[h]
        _drop(begin, end, keep, scale, powers)
        _weigh(offsets, columns, in_place, powers, values, i, totals)
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
def _softmax_backward(offsets, columns, values, dz, keep, scale, weights, dlogits, sums, near, i) -> None:
    """In row i set dlogits to the gradient at the logits, from dz at the sum, and weights to those after dropout.

    weights: exp(logits). sums: [4, heads] and near: [heads], written to.

    A logit's gradient is p_j (m_j dz·v_j − Σ_l p_l m_l dz·v_l), m being the dropout. The values are taken relative to
    those of a neighbour of the largest logit: where neighbours are nearly alike, the rounding of what they have in
    common would be larger than the difference. Without dropout, which drops of this, too, it cancels.
    """
    begin, end, nought = offsets[i], offsets[i + 1], values.dtype.type(0)
    divisors, common, means, kept = sums
    for h in range(values.shape[1]):
        divisors[h] = common[h] = means[h] = kept[h] = 0
        near[h] = columns[begin] if begin < end else 0
    for t in range(begin, end):
        for h in range(values.shape[1]):
            divisors[h] += weights[t, h]
            if weights[t, h] == 1:
                near[h] = columns[t]
    for t in range(begin, end):
        j = columns[t]
        for h in range(values.shape[1]):
            weights[t, h] /= divisors[h]
            total = nought
            for k in range(values.shape[2]):
                total += dz[i, h, k] * (values[j, h, k] - values[near[h], h, k])
            if keep.shape[0]:
                total *= scale if keep[t, h] else nought
                kept[h] += weights[t, h] * (scale if keep[t, h] else nought)
            dlogits[t, h] = total
            means[h] += weights[t, h] * total
    if keep.shape[0] and begin < end:
        for h in range(values.shape[1]):
            for k in range(values.shape[2]):
                common[h] += dz[i, h, k] * values[near[h], h, k]
        for t in range(begin, end):
            for h in range(values.shape[1]):
                dlogits[t, h] += common[h] * ((scale if keep[t, h] else nought) - kept[h])
    for t in range(begin, end):
        for h in range(values.shape[1]):
            dlogits[t, h] = weights[t, h] * (dlogits[t, h] - means[h])
    _drop(begin, end, keep, scale, weights)


@compiled
def static_backward_rows(
    offsets, columns, scores, values, dz, keep, numbers, weights, dlogits, dtargets, first, last, part
) -> None:
    """Set dlogits to the gradient at scores[j, 0] + scores[i, 1], dtargets to its sum in each row: [rows, heads].

    dz: [rows, heads, d]. weights: exp(logits), then the softmax after dropout. numbers: the slope, and scale.
    """
    slope, one = numbers[0], values.dtype.type(1)
    sums, near = np.empty((4, values.shape[1]), values.dtype), np.empty(values.shape[1], np.intp)
    for i in range(first, last):
        _softmax_backward(offsets, columns, values, dz, keep, numbers[1], weights, dlogits, sums, near, i)
        for h in range(sums.shape[1]):
            dtargets[i, h] = 0
        for t in range(offsets[i], offsets[i + 1]):
            j = columns[t]
            for h in range(sums.shape[1]):
                dlogits[t, h] *= one if scores[j, 0, h] + scores[i, 1, h] > 0 else slope
                dtargets[i, h] += dlogits[t, h]


@compiled
def static_backward_columns(
    offsets,
    columns,
    entries,
    weights,
    dlogits,
    dz,
    values,
    source,
    target,
    dtargets,
    dvalues,
    dsource,
    dtarget,
    first,
    last,
    part,
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
    offsets,
    columns,
    values,
    targets,
    attention,
    dz,
    keep,
    numbers,
    weights,
    dlogits,
    dtargets,
    dattention,
    first,
    last,
    part,
) -> None:
    """Set dlogits to the gradient at the logits, dtargets to that at the targets, dattention[part] at the attention.

    The arguments are as for `static_backward_rows` and `dynamic_logits`.
    """
    slope = numbers[0]
    heads, d = values.shape[1], values.shape[2]
    sums, near = np.empty((4, heads), values.dtype), np.empty(heads, np.intp)
    slants = np.empty((heads, d), values.dtype)
    for h in range(heads):
        for k in range(d):
            dattention[part, h, k] = 0
    for i in range(first, last):
        _softmax_backward(offsets, columns, values, dz, keep, numbers[1], weights, dlogits, sums, near, i)
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
    offsets, columns, entries, weights, dlogits, dz, values, targets, attention, numbers, dvalues, first, last, part
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
