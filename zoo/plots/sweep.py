"""What a study found: a figure along an axis, and a figure against what might predict it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from zoo.plots.style import DASHES, MARKERS, colors, literal, new_figure, tidy
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
    """Means over x with their intervals as bands and a dot for every run; one panel for each that the lines name.

    A gap where there is no mean. A label has the same look in every panel, and all panels have one scale of x; each has
    its own of y, as figures on different data are not to be read against each other. log_x: for positive x.
    """
    panels = list(dict.fromkeys(line.panel for line in lines)) or [""]
    labels = list(dict.fromkeys(line.label for line in lines))
    looks = {
        label: (index, color) for index, (label, color) in enumerate(zip(labels, colors(len(labels)), strict=True))
    }
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure = new_figure(title, (max(5.5, 3.4 * columns + 0.6), 3.2 * rows + 0.9))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    places = sorted({float(x) for line in lines for x in line.x})
    for axes, panel in zip(grid.flat, panels, strict=False):
        tidy(axes)
        axes.set_title(escape_controls(panel), fontsize=9.5, parse_math=False)
        for line in lines:
            if line.panel == panel:
                _draw(axes, line, *looks[line.label], shift=_shift(looks[line.label][0], len(labels)), log=log_x)
        _along(axes, places, log_x)
        own = (line.y_label for line in lines if line.panel == panel and line.y_label)
        axes.set_ylabel(literal(next(own, y_label)))
        axes.set_xlabel(literal(x_label))
        axes.tick_params(labelbottom=True)
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    if len(labels) > 1 or any(labels):
        _legend(figure, grid.flat[0], [(label, *looks[label]) for label in labels])
    return figure


def scatter(
    groups: Mapping[str, tuple[Sequence[Number], Sequence[Number]]],
    *,
    x_label: str,
    y_label: str,
    rho: tuple[Number, Number, Number] | None = None,
    within: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """A point for each run, x against y, groups told apart; x logarithmic if it is positive over two decades or more.

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
    edges = set()
    for index, ((name, drawn), color) in enumerate(zip(points.items(), colors(len(points)), strict=True)):
        look = {"color": color, "alpha": 0.75, "linewidths": 0}
        above = np.isposinf(drawn[:, 0])
        below = (drawn[:, 0] == 0) if log else np.isneginf(drawn[:, 0])
        inside = drawn[~above & ~below]
        axes.scatter(
            inside[:, 0], inside[:, 1], s=22, marker=MARKERS[index % len(MARKERS)], label=literal(name), **look
        )
        for where, edge, sign in ((below, 0, "<"), (above, 1, ">")):
            if where.any():
                edges.add((edge, sign))
                axes.scatter(
                    np.full(where.sum(), edge),
                    drawn[where, 1],
                    s=30,
                    marker=sign,
                    clip_on=False,
                    transform=axes.get_yaxis_transform(),
                    **look,
                )
    axes.set_xlabel(literal(x_label))
    axes.set_ylabel(literal(y_label))
    keys = {(0, "<"): "x is 0" if log else "x is −∞", (1, ">"): "x is ∞"}
    for edge in sorted(edges):
        axes.scatter([], [], s=30, marker=edge[1], color="0.4", label=keys[edge])
    given = sum(len(x) for x, _ in groups.values())
    note = _annotation(rho, len(known), given)
    if within:
        note += "\nwithin " + ", ".join(map(escape_controls, within))
    axes.set_title(note, fontsize=9, loc="left", color="0.25", parse_math=False)
    if any(groups) or edges:
        figure.legend(loc="outside lower left", ncols=3, fontsize=8.5, frameon=False)
    return figure


def _draw(axes: Axes, line: Line, index: int, color: Any, *, shift: float, log: bool) -> None:
    x, mean, low, high = (_numbers(side) for side in (line.x, line.mean, line.low, line.high))
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    for place, values in zip(x, line.values, strict=False):
        beside = place * (1 + shift) if log else place
        axes.plot(np.full(len(values), beside), values, ".", color=color, alpha=0.5, markersize=4, linestyle="none")
    look = {"linestyle": DASHES[index % len(DASHES)], "marker": MARKERS[index % len(MARKERS)]}
    axes.plot(x, mean, color=color, linewidth=1.6, markersize=4.5, label=literal(line.label), **look)
    bounded = np.isfinite(low) & np.isfinite(high)
    ends = np.where(bounded, np.stack([mean - low, high - mean]), np.nan)
    axes.errorbar(x, mean, yerr=ends, fmt="none", ecolor=color, elinewidth=0.8, capsize=2)


def _along(axes: Axes, places: Sequence[float], log: bool) -> None:
    """Ticks at the places themselves, while they are few."""
    if log:
        axes.set_xscale("log")
    if 0 < len(places) <= LABELLED:
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _legend(figure: Figure, axes: Axes, looks: Sequence[tuple[str, int, Any]]) -> None:
    """A key to all labels, those too that the first panel is without."""
    handles = [
        axes.plot(
            [],
            [],
            color=color,
            label=literal(label),
            linestyle=DASHES[index % len(DASHES)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4.5,
        )[0]
        for label, index, color in looks
    ]
    columns = max(1, min(4, 100 // (max(len(label) for label, _, _ in looks) + 10)))
    figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, fontsize=8.5, frameon=False, handlelength=3.5
    )


def _shift(index: int, count: int) -> float:
    """Dots of different lines stand a little beside each other."""
    return 0.03 * (index - (count - 1) / 2)


def _numbers(values: Sequence[Number]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _points(x: Sequence[Number], y: Sequence[Number]) -> np.ndarray:
    """Pairs with a finite y and an x that is a number, infinite or not, one a row."""
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
