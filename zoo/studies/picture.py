"""Pictures of a study: the score along a numeric axis, and against the quantities that may predict it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.errors import RunError
from zoo.plots.sweep import Line, scatter, sweep
from zoo.studies.cells import Cell, EvaluationSetting
from zoo.studies.formatting import is_number, signed
from zoo.studies.predictors import ALL, Predictor, predictors
from zoo.studies.results import cells
from zoo.studies.statistics import summarise
from zoo.studies.study_plan import StudyPlan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures(plan: StudyPlan) -> "dict[str, Figure]":
    """Draw every picture that the study asks for and has finished runs for, by name: `sweep`, `predictor-<quantity>`.

    Raises: RunError if there is nothing to draw.
    """
    report = plan.study.report
    found = [cell for cell in cells(plan) if cell.setting and cell.tests]
    made: dict[str, Figure] = {}
    axis = report.x or _numeric(found)
    if axis is not None and found:
        made["sweep"] = _sweep(found, axis, plan.study.name)
    every = predictors(found, report.predictors, report.predict_at, report.families) if report.predictors else []
    settings = list(dict.fromkeys(item.setting for item in every))
    when = "untrained" if report.predict_at == "start" else "at the best validation"
    for item in every:
        if item.family == ALL:
            dataset = _dataset(item.setting)
            same = [setting for setting in settings if _dataset(setting) == dataset]
            number = f"-{same.index(item.setting) + 1}" if len(same) > 1 else ""  # one picture for each setting
            made[f"predictor-{dataset}{number}-{item.name}"] = _scatter(item, every, when, plan.study.name)
    if not made:
        raise RunError(
            f"study {plan.study.name} — has nothing to draw — expected finished runs, and an axis of numbers or "
            "report.predictors"
        )
    return made


def _scatter(item: Predictor, every: Sequence[Predictor], when: str, title: str) -> "Figure":
    groups: dict[str, tuple[list[float | None], list[float]]] = {}
    for label, x, y in zip(item.labels, item.x, item.y, strict=True):
        xs, ys = groups.setdefault(label, ([], []))
        xs.append(x)
        ys.append(y)
    families = [other for other in every if (other.setting, other.name) == (item.setting, item.name)]
    measure = item.correlation
    return scatter(
        groups,
        x_label=f"{item.name} ({when})",
        y_label=f"test {item.setting.metric}",
        rho=(measure.rho, measure.low, measure.high),
        within=[f"{one.family}: {signed(one.correlation.rho, 2)}" for one in families if one.family != ALL],
        title=f"{title}: {item.setting.dataset}",
    )


def _sweep(found: Sequence[Cell], axis: str, title: str) -> "Figure":
    """Draw a line for each combination of the other axes, in a panel for each data set and task.

    A cell whose label is no number has a level line, from one end of the axis to the other.
    """
    numbers = sorted({float(cell.axes[axis]) for cell in found if is_number(cell.axes[axis])})
    words = [cell.axes[axis] for cell in found if not is_number(cell.axes[axis])]
    if len(numbers) < 2 and words:
        problem = f"{axis!r} has the label {words[0]!r}, which is no number"
        raise RunError(f"report.x — {problem} — expected an axis with two numbers at least")
    panel_axes = _panel_axes(found, axis)
    lines: dict[tuple[str, str, bool], list[tuple[float, Cell]]] = {}
    for cell in found:
        panel = ", ".join(cell.axes[name] for name in panel_axes if name in cell.axes) or _dataset(_setting(cell))
        others = [label for name, label in cell.axes.items() if name != axis and name not in panel_axes]
        label = cell.axes[axis]
        if is_number(label):
            name = ", ".join(others) or (axis if words else "")
            lines.setdefault((panel, name, False), []).append((float(label), cell))
        else:
            level = [(end, cell) for end in (numbers[0], numbers[-1])]
            lines.setdefault((panel, ", ".join([*others, label]), True), []).extend(level)
    drawn = []
    for (panel, name, is_level), points in lines.items():
        points.sort(key=lambda point: point[0])
        summaries = [summarise(cell.tests, range=cell.range) for _, cell in points]
        setting = _setting(points[0][1])
        drawn.append(
            Line(
                label=name,
                x=[x for x, _ in points],
                mean=[summary.mean for summary in summaries],
                low=[summary.low for summary in summaries],
                high=[summary.high for summary in summaries],
                values=[] if is_level else [cell.tests for _, cell in points],
                panel=panel,
                y_label=f"test {setting.metric}{'' if setting.higher_is_better else ' (lower is better)'}",
            )
        )
    log = len(numbers) > 2 and numbers[0] > 0 and numbers[-1] / numbers[0] >= 16
    return sweep(drawn, x_label=axis, log_x=log, title=title)


def _panel_axes(found: Sequence[Cell], x: str) -> list[str]:
    """Return the axes that tell panels apart: `dataset` and `task`, else one whose label determines them."""
    axes = [axis for axis in found[0].axes if axis != x]
    named = [axis for axis in axes if axis in ("dataset", "task")]
    data = [(_setting(cell).task, _dataset(_setting(cell))) for cell in found]
    if named or len(set(data)) == 1:
        return named
    for axis in axes:
        labels = [cell.axes.get(axis) for cell in found]
        if len(set(zip(labels, data, strict=True))) == len(set(labels)):
            return [axis]
    return []


def _numeric(found: Sequence[Cell]) -> str | None:
    """Return the last axis whose labels are all numbers, if there are several."""
    for axis in reversed(list(found[0].axes if found else ())):
        labels = {cell.axes[axis] for cell in found}
        if len(labels) > 1 and all(map(is_number, labels)):
            return axis
    return None


def _setting(cell: Cell) -> EvaluationSetting:
    assert cell.setting is not None
    return cell.setting


def _dataset(setting: EvaluationSetting) -> str:
    """Return the data set's name, without its options."""
    return setting.dataset.split()[0]
