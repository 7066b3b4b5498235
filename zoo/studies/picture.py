"""A study as pictures: the figure along a numeric axis, and against the quantities that may predict it."""

from collections.abc import Sequence
from typing import Any

from zoo.errors import RunError
from zoo.plots.sweep import Line, scatter, sweep
from zoo.studies.cells import Cell, EvaluationSetting
from zoo.studies.formatting import is_number, signed
from zoo.studies.predictors import ALL, predictors
from zoo.studies.results import cells
from zoo.studies.statistics import summarise
from zoo.studies.study_plan import StudyPlan


def pictures(plan: StudyPlan) -> dict[str, Any]:
    """Every picture that the study asks for and has finished runs for, by name: `sweep`, `predictor-<quantity>`.

    Raises: RunError if there is nothing to draw.
    """
    report = plan.study.report
    found = [cell for cell in cells(plan) if cell.setting and cell.tests]
    made: dict[str, Any] = {}
    axis = report.x or _numeric(found)
    if axis is not None and found:
        made["sweep"] = _sweep(found, axis, plan.study.name)
    every = predictors(found, report.predictors, report.predict_at, report.families) if report.predictors else []
    for item in every:
        if item.family != ALL:
            continue
        measure = item.correlation
        within = [
            f"{other.family}: {signed(other.correlation.rho, 2)}"
            for other in every
            if other.family != ALL and (other.setting, other.name) == (item.setting, item.name)
        ]
        groups: dict[str, tuple[list[float | None], list[float]]] = {}
        for label, x, y in zip(item.labels, item.x, item.y, strict=True):
            xs, ys = groups.setdefault(label, ([], []))
            xs.append(x)
            ys.append(y)
        grounds = list(dict.fromkeys(cell.setting for cell in found))
        alike = [ground for ground in grounds if ground and _kind(ground) == _kind(item.setting)]
        number = f"-{alike.index(item.setting) + 1}" if len(alike) > 1 else ""  # one picture for each ground
        made[f"predictor-{_kind(item.setting)}{number}-{item.name}"] = scatter(
            groups,
            x_label=f"{item.name} ({'untrained' if report.predict_at == 'start' else 'at the best validation'})",
            y_label=f"test {item.setting.metric}",
            rho=(measure.rho, measure.low, measure.high),
            within=within,
            title=f"{plan.study.name}: {item.setting.dataset}",
        )
    if not made:
        raise RunError(
            f"study {plan.study.name} — has nothing to draw — expected finished runs, and an axis of numbers or "
            "report.predictors"
        )
    return made


def _sweep(found: Sequence[Cell], axis: str, title: str) -> Any:
    """A line for each combination of the other axes, a panel for each data set and task.

    A cell whose label is no number has a level line, from one end of the axis to the other.
    """
    numbers = sorted({float(cell.axes[axis]) for cell in found if is_number(cell.axes[axis])})
    if len(numbers) < 2 and (odd := next((cell for cell in found if not is_number(cell.axes[axis])), None)):
        word = f"{axis!r} has the label {odd.axes[axis]!r}, which is no number"
        raise RunError(f"report.x — {word} — expected an axis with two numbers at least")
    said, alone = _panel_axes(found, axis), axis if any(not is_number(cell.axes[axis]) for cell in found) else ""
    lines: dict[tuple[str, str], list[tuple[float, Cell]]] = {}
    for cell in found:
        assert cell.setting is not None
        others = [label for name, label in cell.axes.items() if name != axis and name not in said]
        panel = ", ".join(cell.axes[name] for name in said if name in cell.axes) or _kind(cell.setting)
        label = cell.axes[axis]
        if is_number(label):
            lines.setdefault((panel, ", ".join(others) or alone), []).append((float(label), cell))
        else:
            level = [(end, cell) for end in (numbers[0], numbers[-1])]
            lines.setdefault((panel, ", ".join([*others, label])), []).extend(level)
    drawn = []
    for (panel, others), points in lines.items():
        points.sort(key=lambda point: point[0])
        level = not any(is_number(cell.axes[axis]) for _, cell in points)
        figures = [summarise(cell.tests, range=cell.range) for _, cell in points]
        drawn.append(
            Line(
                label=others,
                x=[x for x, _ in points],
                mean=[figure.mean for figure in figures],
                low=[figure.low for figure in figures],
                high=[figure.high for figure in figures],
                values=[] if level else [cell.tests for _, cell in points],
                panel=panel,
                y_label=_figure_of(points[0][1]),
            )
        )
    places = sorted({x for line in drawn for x in line.x})
    log = len(places) > 2 and places[0] > 0 and places[-1] / places[0] >= 16
    return sweep(drawn, x_label=axis, log_x=log, title=title)


def _panel_axes(found: Sequence[Cell], x: str) -> list[str]:
    """The axes that say what the figures are of: `dataset` and `task`, else one whose label decides the ground."""
    axes = [axis for axis in found[0].axes if axis != x]
    named = [axis for axis in axes if axis in ("dataset", "task")]
    if named or len({_of(cell) for cell in found}) == 1:
        return named
    decided = [axis for axis in axes if len({(c.axes.get(axis), _of(c)) for c in found}) == _labels(found, axis)]
    return decided[:1]


def _labels(found: Sequence[Cell], axis: str) -> int:
    return len({cell.axes.get(axis) for cell in found})


def _of(cell: Cell) -> tuple[str, str]:
    assert cell.setting is not None
    return cell.setting.task, _kind(cell.setting)


def _figure_of(cell: Cell) -> str:
    assert cell.setting is not None
    return f"test {cell.setting.metric}" + ("" if cell.setting.higher_is_better else " (lower is better)")


def _kind(ground: EvaluationSetting) -> str:
    """The data set's name, without its options."""
    return ground.dataset.split()[0]


def _numeric(found: Sequence[Cell]) -> str | None:
    """The last axis whose labels are all numbers, if there are several."""
    for axis in reversed(list(found[0].axes if found else ())):
        labels = {cell.axes[axis] for cell in found}
        if len(labels) > 1 and all(is_number(label) for label in labels):
            return axis
    return None
