"""The bound c of a weight normaliser over the training: what it was, or what it learned to be."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zoo.plots.series import clock_of, series
from zoo.plots.style import colors, marker, new_figure, over_time, tidy


def bound(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """The bound c over time; None without data.

    One line where all blocks have the same c; otherwise the range and the median over the blocks, and the first and the
    last block. best: the step of the best validation, marked by a line.
    """
    found = series(probes, "weights.c")
    if found is None:
        return None
    clock = clock_of(found)
    known = ~np.isnan(found.values).all(axis=1)
    times, values = found.times(clock)[known], found.values[known]
    figure = new_figure(title, (7.5, 3.8))
    axes = figure.add_subplot()
    tidy(axes)
    low, middle, high = (reduce(values, axis=1) for reduce in (np.nanmin, np.nanmedian, np.nanmax))
    dark, mid = colors(3)[:2]
    if np.allclose(low, high, rtol=1e-6, atol=0):
        axes.plot(times, middle, color=dark, linewidth=1.6, label="c, the same in every block", **marker(0, len(times)))
    else:
        axes.fill_between(times, low, high, color="0.87", linewidth=0, label="smallest to largest of all blocks")
        axes.plot(times, middle, color=dark, linewidth=1.8, label="median", **marker(0, len(times)))
        for index, (name, column, dash) in enumerate([("first block", 0, "--"), ("last block", -1, ":")], start=1):
            look = {"color": mid, "linestyle": dash, "linewidth": 1.5, **marker(index, len(times))}
            axes.plot(times, values[:, column], label=name, **look)
    if (low > 0).all() and high.max() > 20 * low.min():
        axes.set_yscale("log")
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
    if best is not None:
        axes.axvline(found.time_of(best, clock), color="0.2", linestyle="-.", linewidth=1, label="best validation")
    over_time(axes, clock)
    axes.set_ylabel("bound $c$ on the weights of a block")
    figure.legend(loc="outside lower left", ncols=3, fontsize=8.5, frameon=False)
    return figure
