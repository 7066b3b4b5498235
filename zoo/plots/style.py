"""Style of the pictures: lines that are told apart without colour, titles, legends, logarithmic axes, and files."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.errors import RunError
from zoo.recipe.values import as_list
from zoo.system.files import replacing
from zoo.system.os_errors import explained
from zoo.untrusted import escape_controls

COLORS = "cividis"  # lightness rises evenly, so that a copy in grey reads alike
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MARKED = 8  # markers on a long line: enough to tell it from its neighbours, too few to hide it

# Metadata with date and version of the drawing, which a format is told to leave out.
_METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
FORMATS = tuple(_METADATA)


def new_figure(title: str, size: tuple[float, float]) -> Figure:
    """Return an empty figure with a title; it belongs to no window and no global list."""
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    lines = [part for line in escape_controls(title, keep="\n").split("\n") for part in wrap(line, int(11.5 * size[0]))]
    figure.suptitle("\n".join(lines), fontsize=10.5, x=0.01, ha="left", parse_math=False)  # a name may have $ in it
    return figure


def save(figure: Figure, stem: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write `<stem>.<format>` for each format, whole or not at all; the same picture has the same bytes.

    Returns the files. Raises: RunError if the folder cannot be made or written to.
    """
    files = []
    for name in as_list(formats):
        file = stem.with_name(f"{stem.name}.{name}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # names inside the file are random without the salt
            with rc_context({"svg.hashsalt": "zoo"}), replacing(file) as stream:
                figure.savefig(stream, format=name, metadata=_METADATA[name])
        except OSError as error:
            raise RunError(
                f"picture {file} — cannot be written: {explained(error, file)} — expected a folder to write to "
                "(--to DIR)"
            ) from error
        files.append(file)
    return files


def literal(text: str) -> str:
    """Return a label that shows a user's text as it is: no formula between dollars, no legend left out for a `_`."""
    label = escape_controls(text).replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label


def colors(count: int) -> list[Any]:
    """Return colours from dark to light, without the end that vanishes on white."""
    return [colormaps[COLORS](place) for place in np.linspace(0, 0.75, count)]


def marker(index: int, length: int) -> dict[str, Any]:
    """Return markers for the line `index` of a picture, shifted so that those of equal lines stay apart."""
    every = 1 if length <= 2 * MARKED else -(-length // MARKED)
    offset = index * every // 3 % every
    return {"marker": MARKERS[index % len(MARKERS)], "markersize": 4.5, "markevery": (offset, every)}


def positive(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return values for a logarithmic axis: NaN, which leaves a gap, where there is no logarithm."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def mark_zeros(axes: Axes, places: np.ndarray, values: Sequence[float] | np.ndarray, color: Any) -> bool:
    """Mark what is exactly 0 by a triangle at the lower edge, as a gap would hide that a gradient died out."""
    zeros = places[np.asarray(values, dtype=float) == 0]
    if len(zeros):
        look = {"color": color, "markersize": 5, "clip_on": False, "transform": axes.get_xaxis_transform()}
        axes.plot(zeros, np.zeros(len(zeros)), "v", **look)
    return bool(len(zeros))


def tidy(axes: Axes) -> None:
    """Draw a light grid, and no frame where there is no scale."""
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.tick_params(which="both", labelsize=8.5)


def legend_below(figure: Figure, columns: int, handles: Sequence[Artist] | None = None, **options: Any) -> None:
    """Put a legend below the axes, of all that is labelled or of the handles."""
    given = {} if handles is None else {"handles": handles}
    figure.legend(**given, loc="outside lower left", ncols=columns, fontsize=8.5, frameon=False, **options)


def columns_for(labels: Iterable[str]) -> int:
    """Return the number of legend columns that labels of this length leave room for."""
    return max(1, min(4, 100 // (max(map(len, labels)) + 10)))


def logarithmic(axes: Axes) -> None:
    """Set a logarithmic vertical axis, with readable limits around a profile that is flat to the eye."""
    if not np.isfinite(axes.dataLim.minposy):
        axes.set_ylim(0.1, 10)  # nothing is drawn, and the scale cannot choose
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:
        middle = np.sqrt(low * high)
        axes.set_ylim(middle / 10**0.6, middle * 10**0.6)
