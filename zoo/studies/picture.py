"""A study as pictures: the figure along a numeric axis, and against the quantities that may predict it."""

from collections.abc import Sequence
from typing import Any

from zoo.errors import RunError
from zoo.plots.study import Line, scatter, sweep
from zoo.studies.cells import Cell, Ground
from zoo.studies.plan import Plan
from zoo.studies.predictors import predictors
from zoo.studies.report import cells
from zoo.studies.statistics import summarise


def pictures(plan: Plan) -> dict[str, Any]:
    """Every picture that the study asks for and has finished runs for, by name: `sweep`, `predictor-<quantity>`.

    Raises: RunError if there is nothing to draw.
    """
    report = plan.study.report
    found = [cell for cell in cells(plan) if cell.ground and cell.tests]
    made: dict[str, Any] = {}
    axis = report.x or _numeric(found)
    if axis is not None and found:
        made["sweep"] = _sweep(found, axis, plan.study.name)
    for item in predictors(found, report.predictors, report.predict_at) if report.predictors else ():
        measure = item.correlation
        groups: dict[str, tuple[list[float | None], list[float]]] = {}
        for label, x, y in zip(item.labels, item.x, item.y, strict=True):
            xs, ys = groups.setdefault(label, ([], []))
            xs.append(x)
            ys.append(y)
        grounds = list(dict.fromkeys(cell.ground for cell in found))
        alike = [ground for ground in grounds if ground and _kind(ground) == _kind(item.ground)]
        number = f"-{alike.index(item.ground) + 1}" if len(alike) > 1 else ""  # one picture for each ground
        made[f"predictor-{_kind(item.ground)}{number}-{item.name}"] = scatter(
            groups,
            x_label=f"{item.name} ({'untrained' if report.predict_at == 'start' else 'at the best validation'})",
            y_label=f"test {item.ground.metric}",
            rho=(measure.rho, measure.low, measure.high),
            title=f"{plan.study.name}: {item.ground.dataset}",
        )
    if not made:
        raise RunError(
            f"study {plan.study.name} — has nothing to draw — expected finished runs, and an axis of numbers or "
            "report.predictors"
        )
    return made


def _sweep(found: Sequence[Cell], axis: str, title: str) -> Any:
    """A line for each combination of the other axes, a panel for each data set."""
    odd = next((cell.axes[axis] for cell in found if not _is_number(cell.axes[axis])), None)
    if odd is not None:
        raise RunError(f"report.x — {axis!r} has the label {odd!r}, which is no number — expected an axis of numbers")
    lines: dict[tuple[str, str], list[tuple[float, Cell]]] = {}
    for cell in found:
        assert cell.ground is not None
        others = ", ".join(label for name, label in cell.axes.items() if name not in (axis, "dataset"))
        panel = cell.axes.get("dataset", _kind(cell.ground))
        lines.setdefault((panel, others), []).append((float(cell.axes[axis]), cell))
    drawn = []
    for (panel, others), points in lines.items():
        points.sort(key=lambda point: point[0])
        figures = [summarise(cell.tests) for _, cell in points]
        drawn.append(
            Line(
                label=others,
                x=[x for x, _ in points],
                mean=[figure.mean for figure in figures],
                low=[figure.low for figure in figures],
                high=[figure.high for figure in figures],
                values=[cell.tests for _, cell in points],
                panel=panel,
            )
        )
    metrics = {cell.ground.metric for cell in found if cell.ground}
    places = sorted({x for line in drawn for x in line.x})
    log = len(places) > 2 and places[0] > 0 and places[-1] / places[0] >= 16
    return sweep(drawn, x_label=axis, y_label=f"test {' or '.join(sorted(metrics))}", log_x=log, title=title)


def _kind(ground: Ground) -> str:
    """The data set's name, without its options."""
    return ground.dataset.split()[0]


def _numeric(found: Sequence[Cell]) -> str | None:
    """The last axis whose labels are all numbers, if there are several."""
    for axis in reversed(list(found[0].axes if found else ())):
        labels = {cell.axes[axis] for cell in found}
        if len(labels) > 1 and all(_is_number(label) for label in labels):
            return axis
    return None


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
