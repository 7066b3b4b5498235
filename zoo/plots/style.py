"""What the pictures share: lines that are told apart without colour, the heading, and axes over blocks or over time."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.untrusted import escape_controls

COLORS = "cividis"  # lightness rises evenly, so that a copy in grey reads alike
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKED = 8  # markers on a long line: enough to tell it from its neighbours, too few to hide it


def new_figure(title: str, size: tuple[float, float]) -> Figure:
    """An empty figure with a title; it belongs to no window and no global list."""
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    lines = [part for line in escape_controls(title, keep="\n").split("\n") for part in wrap(line, int(11.5 * size[0]))]
    figure.suptitle("\n".join(lines), fontsize=10.5, x=0.01, ha="left", parse_math=False)  # a name may have $ in it
    return figure


def literal(text: str) -> str:
    """A text of the user's as a label that shows it: no formula between dollars, no legend left out for a `_`."""
    label = escape_controls(text).replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label


def colors(count: int) -> list[Any]:
    """Colours from dark to light, without the end that vanishes on white."""
    return [colormaps[COLORS](place) for place in np.linspace(0, 0.75, count)]


def marker(index: int, length: int) -> dict[str, Any]:
    """Markers for the line `index` of a picture, shifted so that those of lines that coincide stay apart."""
    every = 1 if length <= 2 * MARKED else -(-length // MARKED)
    offset = index * every // 3 % every
    return {"marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "markevery": (offset, every)}


def positive(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Values for a logarithmic axis: NaN, which leaves a gap, where there is no logarithm."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def mark_zeros(axes: Axes, places: np.ndarray, values: Sequence[float] | np.ndarray, color: Any) -> bool:
    """Show at the lower edge what is exactly 0, where a gap alone would hide that a gradient died out."""
    zeros = places[np.asarray(values, dtype=float) == 0]
    if len(zeros):
        axes.plot(
            zeros,
            np.zeros(len(zeros)),
            "v",
            color=color,
            markersize=5,
            clip_on=False,
            transform=axes.get_xaxis_transform(),
        )
    return bool(len(zeros))


def tidy(axes: Axes) -> None:
    """A light grid, and no frame where there is no scale."""
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.tick_params(which="both", labelsize=8.5)


def over_blocks(axes: Axes, blocks: int) -> None:
    """The horizontal axis runs from the first block to the last."""
    axes.set_xlabel("block $l$ (1: next to the input)")
    margin = max(0.5, 0.02 * blocks)
    axes.set_xlim(1 - margin, blocks + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def over_time(axes: Axes, clock: str) -> None:
    """The horizontal axis counts epochs or steps."""
    axes.set_xlabel(clock)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def logarithmic(axes: Axes) -> None:
    """A logarithmic vertical axis; a profile that is flat to the eye keeps readable limits around it."""
    if not np.isfinite(axes.dataLim.minposy):
        axes.set_ylim(0.1, 10)  # nothing is drawn, and the scale cannot choose
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:
        middle = np.sqrt(low * high)
        axes.set_ylim(middle / 10**0.6, middle * 10**0.6)
