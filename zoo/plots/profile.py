"""The gradient and the representations, block by block, at the first, the best and the last measured step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.plots.series import Series, clock_of, preferred, series
from zoo.plots.style import (
    DASHES,
    colors,
    logarithmic,
    mark_zeros,
    marker,
    new_figure,
    over_blocks,
    positive,
    tidy,
)

_RATIOS = {
    "gradients": r"$\mu(G_l)\,/\,\|G_l\|_F$",
    "representations": r"$\mu(X_l)\,/\,\|X_l\|_F$",
}


def profile(probes: Sequence[Mapping[str, Any]], title: str, best: int | None = None) -> Figure | None:
    """μ(G_l) and ‖G_l‖_F on a logarithmic scale, and beside them which part of the norm is μ; None without data.

    best: the step of the best validation; what was measured nearest to it is drawn.
    """
    mu, norm = preferred(probes, "gradients.mu"), series(probes, "gradients.norm")
    sizes = {rf"$\mu(G_l)$, {mu[0]}": mu[1]} if mu else {}
    sizes |= {r"$\|G_l\|_F$": norm} if norm else {}
    ratios = {
        of: {subspace: found for subspace in ("plain", "limit") if (found := series(probes, f"{of}.ratio.{subspace}"))}
        for of in _RATIOS
    }
    ratios = {of: lines for of, lines in ratios.items() if lines}
    drawn = [*sizes.values(), *(line for lines in ratios.values() for line in lines.values())]
    if not drawn:
        return None
    moments = _moments(drawn, best)
    panels = ["sizes"] * bool(sizes) + list(ratios)
    figure = new_figure(title, (9 if sizes and ratios else 5.5, 4.8 if sizes or len(ratios) > 1 else 3.2))
    if sizes and len(ratios) > 1:
        axes = figure.subplot_mosaic([["sizes", of] for of in ratios], width_ratios=[1.25, 1])
    else:
        axes = figure.subplot_mosaic([panels])
    if sizes:
        _draw(axes["sizes"], sizes, moments)
        logarithmic(axes["sizes"])
        axes["sizes"].set_ylabel("size of the gradient")
    for of, lines in ratios.items():
        _draw(axes[of], lines, moments)
        axes[of].set_ylim(-0.04, 1.04)
        axes[of].set_ylabel(_RATIOS[of])
        axes[of].set_title(f"share of the {of} that is not smooth", fontsize=9, loc="left")
    handles = [line for line in axes[panels[0]].get_lines() if not str(line.get_label()).startswith("_")]
    return figure


def _moments(drawn: Sequence[Series], best: int | None) -> dict[int, str]:
    """Steps to draw, in the order of training, each with what it is."""
    clock = clock_of(*drawn)
    times = {step: time for item in drawn for step, time in zip(item.steps.tolist(), item.times(clock), strict=True)}
    steps = sorted(times)
    words: dict[int, list[str]] = {steps[0]: ["first"]}
    if best is not None:
        near = min(steps, key=lambda step: abs(step - best))
        words.setdefault(near, []).append("best" if near == best else "nearest to best")
    words.setdefault(steps[-1], []).append("last")
    return {step: f"{' = '.join(words[step])}: {clock} {times[step]}" for step in sorted(words)}
