"""Pictures over the time of a training: validation and expansion, gradient by block, and the bound c."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from zoo.plots.series import Series, clock_of, preferred, series
from zoo.plots.style import COLORS, colors, legend_below, literal, marker, new_figure, positive, tidy

_HATCH = {"hatch": "////", "edgecolor": "0.6", "facecolor": "white", "linewidth": 0}


def training(
    validation: Series | None, rate: Series | None, title: str, metric: str = "metric", best: int | None = None
) -> Figure | None:
    """Draw the validation metric on the left axis, e^rate on the right; None if neither was measured.

    rate: growth of log μ(G) per block towards the input. best: the step of the best validation, marked by a line.
    """
    timed = validation or rate
    if timed is None:
        return None
    clock = clock_of(validation, rate)
    dark, light = colors(2)[0], "0.45"
    figure = new_figure(title, (7.5, 4))
    axes = figure.add_subplot()
    tidy(axes)
    lines: list[Artist] = []
    if validation:
        times, values, label = validation.times(clock), validation.values[:, 0], literal(f"validation {metric}")
        lines += axes.plot(times, values, color=dark, linewidth=1.6, label=label, **marker(0, len(times)))
        axes.set_ylabel(label)
    else:
        axes.set_yticks([])
    if rate:
        beside = axes.twinx()
        times, values = rate.times(clock), np.exp(rate.values[:, 0])
        look = {"color": light, "linestyle": "--", "linewidth": 1.4, "label": r"$\mu(G)$ grows by, per block"}
        lines += beside.plot(times, values, **look, **marker(1, len(times)))
        neither = "1: neither grows nor vanishes"
        lines.append(beside.axhline(1, color=light, linestyle=":", linewidth=1.2, label=neither))
        beside.set_ylabel(r"expansion factor $e^{\mathrm{rate}}$ per block")
        beside.ticklabel_format(axis="y", useOffset=False)
        beside.spines["top"].set_visible(False)
        beside.tick_params(labelsize=8.5)
    if best is not None:
        when = timed.time_of(best, clock)
        lines.append(axes.axvline(when, color="0.2", linestyle="-.", linewidth=1, label=f"best: {clock} {when:.0f}"))
    _label_time(axes, clock)
    legend_below(figure, 2, lines)
    return figure


def heatmap(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """Draw log10 μ(G_l), one column for each measured step and one row for each block; None without data.

    Hatched where μ is 0 or not finite. best: the step of the best validation, drawn as a line.
    """
    found = preferred(probes, "gradients.mu")
    if found is None or np.isnan(positive(found[1].values)).all():
        return None
    subspace, mu = found
    clock = clock_of(mu)
    times, blocks = mu.times(clock), np.arange(1, mu.values.shape[1] + 1)
    levels = np.ma.masked_invalid(np.log10(positive(mu.values))).T
    figure = new_figure(title, (7.5, 4.2))
    axes = figure.add_subplot()
    cells = axes.pcolormesh(edges(times), edges(blocks), levels, cmap=colormaps[COLORS], rasterized=True)
    bar = figure.colorbar(cells, ax=axes, label=rf"$\log_{{10}}\,\mu(G_l)$, {literal(subspace)}", pad=0.02)
    bar.ax.tick_params(labelsize=8.5)
    keys: list[Artist] = []
    if np.ma.getmaskarray(levels).any():
        label = r"$\mu$ is 0 or not finite"
        keys.append(axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, zorder=0, label=label, **_HATCH)))
    if best is not None:
        when = mu.time_of(best, clock)
        axes.axvline(when, color="white", linewidth=2.5)  # seen on dark cells; the black dashes on it, on light ones
        keys.append(axes.axvline(when, color="black", linestyle="--", linewidth=1.2, label="best validation"))
    if keys:
        legend_below(figure, 2, keys)
    _label_time(axes, clock)
    axes.set_ylabel("block $l$ (1: next to the input)")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(labelsize=8.5)
    return figure


def edges(centres: np.ndarray) -> np.ndarray:
    """Return borders of cells around increasing places: half-way between neighbours, and as far beyond the ends."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[:-1] + centres[1:]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])


def bound(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """Draw the bound c of a weight normaliser over time; None without data.

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
    _label_time(axes, clock)
    axes.set_ylabel("bound $c$ on the weights of a block")
    legend_below(figure, 3)
    return figure


def _label_time(axes: Axes, clock: str) -> None:
    """Let the horizontal axis count epochs or steps."""
    axes.set_xlabel(clock)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
