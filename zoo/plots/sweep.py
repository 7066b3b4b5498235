"""Pictures of studies: a score along an axis, and a score against a quantity that may predict it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from zoo.plots.style import DASHES, MARKERS, colors, columns_for, legend_below, literal, new_figure, tidy
from zoo.untrusted import escape_controls

DECADES = 2  # positive values that span so many are shown on a logarithmic axis
COLUMNS = 3  # panels side by side
LABELLED = 9  # up to so many places on an axis, each has its number

Number = float | None


@dataclass(frozen=True)
class Line:
    """A line of a sweep: at each x a mean, its interval (None where there is none), and the values of every run.

    panel: lines of one panel share axes, e.g. those of one data set. y_label: of its panel, in place of that of all.
    """

    label: str
    x: Sequence[float]
    mean: Sequence[Number]
    low: Sequence[Number]
    high: Sequence[Number]
    values: Sequence[Sequence[float]] = field(default=())
    panel: str = ""
    y_label: str = ""


def sweep(lines: Sequence[Line], *, x_label: str, y_label: str = "", log_x: bool = False, title: str = "") -> Figure:
    """Draw means over x with their intervals as bands and a dot for every run, in a panel for each that lines name.

    A gap where there is no mean. A label has the same look in every panel, and all panels have one scale of x; each has
    its own of y, as scores on different data are not to be compared. log_x: for positive x.
    """
    panels = list(dict.fromkeys(line.panel for line in lines)) or [""]
    labels = list(dict.fromkeys(line.label for line in lines))
    looks = {
        label: {"color": color, "linestyle": DASHES[index % len(DASHES)], "marker": MARKERS[index % len(MARKERS)]}
        for index, (label, color) in enumerate(zip(labels, colors(len(labels)), strict=True))
    }
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure = new_figure(title, (max(5.5, 3.4 * columns + 0.6), 3.2 * rows + 0.9))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    places = sorted({float(x) for line in lines for x in line.x})
    for axes, panel in zip(grid.flat, panels, strict=False):
        tidy(axes)
        axes.set_title(escape_controls(panel), fontsize=9.5, parse_math=False)
        own = [line for line in lines if line.panel == panel]
        for line in own:
            beside = 0.03 * (labels.index(line.label) - (len(labels) - 1) / 2)  # dots of different lines stand apart
            _draw(axes, line, looks[line.label], 1 + beside if log_x else 1.0)
        if log_x:
            axes.set_xscale("log")
        if 0 < len(places) <= LABELLED:
            axes.xaxis.set_major_locator(FixedLocator(places))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylabel(literal(next((line.y_label for line in own if line.y_label), y_label)))
        axes.set_xlabel(literal(x_label))
        axes.tick_params(labelbottom=True)
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    if any(labels):
        keys = [
            grid.flat[0].plot([], [], label=literal(label), markersize=4.5, **look)[0] for label, look in looks.items()
        ]
        legend_below(figure, columns_for(labels), keys, handlelength=3.5)
    return figure


def _draw(axes: Axes, line: Line, look: Mapping[str, Any], beside: float) -> None:
    x, mean, low, high = (_numbers(side) for side in (line.x, line.mean, line.low, line.high))
    color = look["color"]
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    for place, values in zip(x, line.values, strict=False):
        dots = np.full(len(values), place * beside)
        axes.plot(dots, values, ".", color=color, alpha=0.5, markersize=4, linestyle="none")
    axes.plot(x, mean, linewidth=1.6, markersize=4.5, label=literal(line.label), **look)
    bounded = np.isfinite(low) & np.isfinite(high)
    ends = np.where(bounded, np.stack([mean - low, high - mean]), np.nan)
    axes.errorbar(x, mean, yerr=ends, fmt="none", ecolor=color, elinewidth=0.8, capsize=2)


def scatter(
    groups: Mapping[str, tuple[Sequence[Number], Sequence[Number]]],
    *,
    x_label: str,
    y_label: str,
    rho: tuple[Number, Number, Number] | None = None,
    within: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Draw a point for each run, x against y, groups told apart; x logarithmic if positive over two decades or more.

    On a logarithmic axis zeros stand at the left edge; infinities always at the right one. Points without an x or y
    are left out, and the annotation says how many are drawn. rho: Spearman's ρ and the ends of its interval, annotated.
    within: ρ of each family of points in words, on a line below.
    """
    figure = new_figure(title, (6, 4.4))
    axes = figure.add_subplot()
    tidy(axes)
    points = {name: _points(x, y) for name, (x, y) in groups.items()}
    known = np.concatenate([drawn[:, 0] for drawn in points.values()]) if points else np.empty(0)
    log = _spans_decades(known)
    if log:
        axes.set_xscale("log")
    keys: dict[str, str] = {}
    for index, ((name, drawn), color) in enumerate(zip(points.items(), colors(len(points)), strict=True)):
        look = {"color": color, "alpha": 0.75, "linewidths": 0}
        above = np.isposinf(drawn[:, 0])
        below = (drawn[:, 0] == 0) if log else np.isneginf(drawn[:, 0])
        x, y = drawn[~above & ~below].T
        axes.scatter(x, y, s=22, marker=MARKERS[index % len(MARKERS)], label=literal(name), **look)
        at_edge = {"s": 30, "clip_on": False, "transform": axes.get_yaxis_transform(), **look}
        for outside, edge, sign, label in (
            (below, 0, "<", "x is 0" if log else "x is −∞"),
            (above, 1, ">", "x is ∞"),
        ):
            if outside.any():
                keys[sign] = label
                axes.scatter(np.full(outside.sum(), edge), drawn[outside, 1], marker=sign, **at_edge)
    for sign, label in sorted(keys.items()):
        axes.scatter([], [], s=30, marker=sign, color="0.4", label=label)
    axes.set_xlabel(literal(x_label))
    axes.set_ylabel(literal(y_label))
    note = _annotation(rho, len(known), sum(len(x) for x, _ in groups.values()))
    note += f"\nwithin {', '.join(map(escape_controls, within))}" if within else ""
    axes.set_title(note, fontsize=9, loc="left", color="0.25", parse_math=False)
    if any(groups) or keys:
        legend_below(figure, 3)
    return figure


def _numbers(values: Sequence[Number]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _points(x: Sequence[Number], y: Sequence[Number]) -> np.ndarray:
    """Return pairs with a finite y and an x that is a number, infinite or not, [points, 2]."""
    both = np.stack([_numbers(x), _numbers(y)], axis=1)
    return both[~np.isnan(both[:, 0]) & np.isfinite(both[:, 1])]


def _spans_decades(values: np.ndarray) -> bool:
    above = values[np.isfinite(values) & (values > 0)]
    return bool(len(above) and not (values < 0).any() and above.max() >= 10**DECADES * above.min())


def _annotation(rho: tuple[Number, Number, Number] | None, drawn: int, given: int) -> str:
    runs = f"n = {drawn}" if drawn == given else f"n = {drawn} of {given}"
    if rho is None:
        return runs
    value, low, high = ("–" if end is None else f"{end:.2f}".replace("-", "−") for end in rho)
    ends = "" if rho[1] is None or rho[2] is None else f" [{low}, {high}]"
    return f"Spearman's ρ = {value}{ends}, {runs}"
