"""Profiles over the blocks of one network at chosen moments, and of several networks in one picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from zoo.plots.series import Series, clock_of, preferred, series
from zoo.plots.style import (
    DASHES,
    MARKERS,
    colors,
    columns_for,
    legend_below,
    literal,
    logarithmic,
    mark_zeros,
    marker,
    new_figure,
    positive,
    tidy,
)

_RATIOS = {
    "gradients": r"$\mu(G_l)\,/\,\|G_l\|_F$",
    "representations": r"$\mu(X_l)\,/\,\|X_l\|_F$",
}
_FILLS = (None, "white")  # markers of the second quantity are hollow: on a single block there is no dash to see


def profile(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """Draw μ(G_l) and ‖G_l‖_F on a logarithmic scale, and beside them their ratio; None without data.

    At the first, the best and the last measured step. best: the step of the best validation, drawn by the measurement
    nearest to it.
    """
    mu, norm = preferred(probes, "gradients.mu"), series(probes, "gradients.norm")
    sizes = {rf"$\mu(G_l)$, {mu[0]}": mu[1]} if mu else {}
    sizes |= {r"$\|G_l\|_F$": norm} if norm else {}
    ratios: dict[str, dict[str, Series]] = {}
    for of in _RATIOS:
        for subspace in ("plain", "limit"):
            if found := series(probes, f"{of}.ratio.{subspace}"):
                ratios.setdefault(of, {})[subspace] = found
    drawn = [*sizes.values(), *(line for lines in ratios.values() for line in lines.values())]
    if not drawn:
        return None
    moments = _moments(drawn, best)
    figure = new_figure(title, (9 if sizes and ratios else 5.5, 4.8 if len(ratios) > 1 else 3.8))
    mosaic: list[Any] = [["sizes", of] if sizes else [of] for of in ratios] or [["sizes"]]
    axes = figure.subplot_mosaic(mosaic, width_ratios=[1.25, 1] if len(mosaic[0]) > 1 else None)
    looks = zip(moments.values(), colors(len(moments)), MARKERS, strict=False)
    keys = [Line2D([], [], color=color, marker=mark, markersize=4.5, label=moment) for moment, color, mark in looks]
    if sizes:
        if _draw(axes["sizes"], sizes, moments, logarithm=True):
            keys.append(Line2D([], [], color="0.4", linestyle="", marker="v", markersize=5, label="exactly 0"))
        logarithmic(axes["sizes"])
        axes["sizes"].set_title("gradients: difference between nodes, and size", fontsize=9, loc="left")
        axes["sizes"].set_ylabel(r"$\mu(G_l)$, $\|G_l\|_F$")
    for of, lines in ratios.items():
        _draw(axes[of], lines, moments)
        axes[of].set_ylim(-0.04, 1.04)
        axes[of].set_ylabel(_RATIOS[of])
        axes[of].set_title(f"{of}: the share that is not smooth", fontsize=9, loc="left")
    legend_below(figure, 4, keys)
    return figure


def profiles(series: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Draw μ(G_l) of several networks, first block first, over the relative depth l/L, on a logarithmic scale.

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
        legend_below(figure, columns_for(series), handlelength=3.5)
    return figure


def _draw(axes: Axes, lines: Mapping[str, Series], moments: Mapping[int, str], *, logarithm: bool = False) -> bool:
    """Draw a line for each quantity (by dash and filling) and moment (by colour and marker).

    Returns whether triangles stand for zeros, which a logarithmic axis cannot show.
    """
    zeros = False
    blocks = np.arange(1, max(line.values.shape[1] for line in lines.values()) + 1)
    for dash, fill, (quantity, line) in zip(DASHES, _FILLS, lines.items(), strict=False):
        for index, ((step, moment), color) in enumerate(zip(moments.items(), colors(len(moments)), strict=True)):
            values = line.at(step)
            if values is None:
                continue
            places = blocks[: len(values)]
            look = {"color": color, "linestyle": dash, "linewidth": 1.5, **marker(index, len(values))}
            look["markerfacecolor"] = fill or color
            axes.plot(places, positive(values) if logarithm else values, label=f"{quantity}, {moment}", **look)
            if logarithm:
                zeros |= mark_zeros(axes, places, values, color)
    axes.set_xlabel("block $l$ (1: next to the input)")
    margin = max(0.5, 0.02 * len(blocks))
    axes.set_xlim(1 - margin, len(blocks) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    keys = [
        Line2D([], [], color="0.2", linestyle=dash, marker="o", markersize=4.5, markerfacecolor=fill or "0.2")
        for dash, fill, _ in zip(DASHES, _FILLS, lines, strict=False)
    ]
    axes.legend(keys, list(lines), fontsize=8.5, framealpha=0.8, handlelength=3)
    tidy(axes)
    return zeros


def _moments(drawn: Sequence[Series], best: int | None) -> dict[int, str]:
    """Return the steps to draw in the order of training, each with its words: `first: epoch 0`."""
    clock = clock_of(*drawn)
    times = {step: time for item in drawn for step, time in zip(item.steps.tolist(), item.times(clock), strict=True)}
    steps = sorted(times)
    words: dict[int, list[str]] = {steps[0]: ["first"]}
    if best is not None:
        near = min(steps, key=lambda step: abs(step - best))
        words.setdefault(near, []).append("best" if near == best else "nearest to best")
    words.setdefault(steps[-1], []).append("last")
    return {step: f"{' = '.join(words[step])}: {clock} {times[step]}" for step in sorted(words)}
