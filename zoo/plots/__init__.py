"""Pictures of runs and studies; the only place that imports matplotlib."""

from typing import Any

from matplotlib.figure import Figure

from zoo.plots.over_time import bound, heatmap, training
from zoo.plots.profile import profile, profiles
from zoo.plots.series import preferred, series
from zoo.plots.style import FORMATS, save
from zoo.plots.sweep import Line, scatter, sweep
from zoo.runs.run import Run

__all__ = ["FORMATS", "Line", "draw", "profiles", "save", "scatter", "sweep"]


def draw(run: Run) -> dict[str, Figure]:
    """Draw every picture that the run has data for, by name: training, profile, heatmap, bound.

    Raises: RunError if a record of the run cannot be read.
    """
    rows: list[Any] = run.metrics.to_dict("records")
    best = next((int(row["step"]) for row in rows if run.val is not None and row["val"] == run.val), None)
    rate = preferred(run.probes, "expansion_rate")
    pictures = {
        "training": training(
            series(rows, "val"),
            rate[1] if rate else None,
            _title(run, f"validation {'and gradient expansion ' if rate else ''}during training"),
            run.metric,
            best,
        ),
        "profile": profile(run.probes, _title(run, "gradient and smoothness by block, at chosen moments"), best),
        "heatmap": heatmap(run.probes, _title(run, "gradient by block, during training"), best),
        "bound": bound(run.probes, _title(run, "bound of the weight normaliser during training"), best),
    }
    return {name: figure for name, figure in pictures.items() if figure is not None}


def _title(run: Run, measured: str) -> str:
    score = f"test {run.metric} {run.test:.3f} at the best validation" if run.test is not None else "never validated"
    return f"{run.record.recipe}, seed {run.seed}: {measured}\n{score} ({run.status})"
