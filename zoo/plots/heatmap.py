"""The gradient of every block over the whole training: where and when it dies out or blows up."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from zoo.plots.series import clock_of, preferred
from zoo.plots.style import COLORS, literal, new_figure, over_time, positive

_HATCH = {"hatch": "////", "edgecolor": "0.6", "facecolor": "white", "linewidth": 0}


def heatmap(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """log10 μ(G_l), one column for each measured step and one row for each block; None without data.

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
        behind = Rectangle(
            (0, 0), 1, 1, transform=axes.transAxes, zorder=0, label=r"$\mu$ is 0 or not finite", **_HATCH
        )
        keys.append(axes.add_patch(behind))
    if best is not None:
        when = mu.time_of(best, clock)
        axes.axvline(when, color="white", linewidth=2.5)  # seen on dark cells; the black dashes on it, on light ones
        keys.append(axes.axvline(when, color="black", linestyle="--", linewidth=1.2, label="best validation"))
    if keys:
        figure.legend(handles=keys, loc="outside lower left", ncols=2, fontsize=8.5, frameon=False)
    over_time(axes, clock)
    axes.set_ylabel("block $l$ (1: next to the input)")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(labelsize=8.5)
    return figure


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells around increasing places: half-way between neighbours, and as far beyond the ends."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[:-1] + centres[1:]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])
