"""How validation went, beside how the gradient grew or shrank from block to block meanwhile."""

import numpy as np
from matplotlib.figure import Figure

from zoo.plots.series import Series, clock_of
from zoo.plots.style import colors, literal, marker, new_figure, over_time, tidy


def training(
    validation: Series | None, rate: Series | None, title: str, metric: str = "metric", best: int | None = None
) -> Figure | None:
    """The validation metric on the left axis, e^rate on the right; None if neither was measured.

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
    lines = []
    if validation:
        times, values = validation.times(clock), validation.values[:, 0]
        lines += axes.plot(
            times, values, color=dark, linewidth=1.6, label=literal(f"validation {metric}"), **marker(0, len(times))
        )
        axes.set_ylabel(literal(f"validation {metric}"))
    else:
        axes.set_yticks([])
    if rate:
        beside = axes.twinx()
        times, values = rate.times(clock), np.exp(rate.values[:, 0])
        look = {"color": light, "linestyle": "--", "linewidth": 1.4, "label": r"$\mu(G)$ grows by, per block"}
        lines += beside.plot(times, values, **look, **marker(1, len(times)))
        lines.append(
            beside.axhline(1, color=light, linestyle=":", linewidth=1.2, label="1: neither grows nor vanishes")
        )
        beside.set_ylabel(r"expansion factor $e^{\mathrm{rate}}$ per block")
        beside.ticklabel_format(axis="y", useOffset=False)
        beside.spines["top"].set_visible(False)
        beside.tick_params(labelsize=8.5)
    if best is not None:
        when = timed.time_of(best, clock)
        lines.append(axes.axvline(when, color="0.2", linestyle="-.", linewidth=1, label=f"best: {clock} {when:.0f}"))
    over_time(axes, clock)
    figure.legend(handles=lines, loc="outside lower left", ncols=2, fontsize=8.5, frameon=False)
    return figure
