"""Profiles of several networks in one picture, however many blocks each has."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from zoo.plots.style import DASHES, colors, literal, logarithmic, mark_zeros, marker, new_figure, positive, tidy


def profiles(series: Mapping[str, Sequence[float]], title: str) -> Figure:
    """μ(G_l) of each, first block first, over the relative depth l/L, on a logarithmic scale.

    Gaps where μ is not finite; a triangle at the lower edge where it is exactly 0.
    """
    figure = new_figure(title, (7.5, 4.4))
    axes = figure.add_subplot()
    tidy(axes)
    zeros = False
    for index, ((name, values), color) in enumerate(zip(series.items(), colors(len(series)), strict=True)):
        depth = np.arange(1, len(values) + 1) / max(len(values), 1)
        look = {"color": color, "linestyle": DASHES[index % len(DASHES)], "linewidth": 1.5}
        axes.plot(depth, positive(values), label=literal(name), **look, **marker(index, len(values)))
        zeros |= mark_zeros(axes, depth, values, color)
    axes.set_xlim(-0.02, 1.02)
    logarithmic(axes)
    axes.set_xlabel("relative depth $l/L$ (left: next to the input)")
    axes.set_ylabel(r"$\mu(G_l)$")
    if zeros:
        axes.plot([], [], "v", color="0.4", markersize=5, label="exactly 0")
    if series:
        columns = max(1, min(4, 100 // (max(map(len, series)) + 10)))
        figure.legend(loc="outside lower left", ncols=columns, fontsize=8.5, frameon=False, handlelength=3.5)
    return figure
