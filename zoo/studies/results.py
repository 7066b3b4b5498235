"""A study's cells and tables, from the runs that are finished."""

from collections.abc import Sequence
from dataclasses import replace

from zoo.errors import RunError
from zoo.runs.run import Run
from zoo.studies.cells import Cell, EvaluationSetting, Score
from zoo.studies.collect import SELECTION, ground_of
from zoo.studies.findings import Findings
from zoo.studies.grid import label
from zoo.studies.labels import ABSENT
from zoo.studies.predictors import predictor_table, predictors
from zoo.studies.statistics import Interval
from zoo.studies.study_plan import SearchCell, StudyPlan
from zoo.studies.study_schema import Report, Study
from zoo.studies.table import Table, grid_table, long_table


def cells(plan: StudyPlan) -> list[Cell]:
    """One cell for each searched of the study, with the scores of its reported runs."""
    return [_cell(searched, selection_of(plan.study)) for searched in plan.cells]


def selection_of(study: Study) -> str:
    """How a figure of the study was chosen, in words: what has to be equal for two figures to be compared."""
    tuning = study.tune
    if tuning is None:
        return SELECTION
    return f"{SELECTION}; settings by validation, {tuning.trials} trials ({tuning.method})"


def joined(sources: Sequence[tuple[str, Sequence[Cell]]]) -> list[Cell]:
    """The cells of several sources under one set of axes: `from` where there is more than one, then all of theirs."""
    axes = dict.fromkeys(axis for _, found in sources for cell in found for axis in cell.axes)
    several = len(sources) > 1
    return [
        replace(
            cell, axes={**({"from": name} if several else {}), **{axis: cell.axes.get(axis, ABSENT) for axis in axes}}
        )
        for name, found in sources
        for cell in found
    ]


def by_ground(found: Sequence[Cell]) -> list[list[Cell]]:
    """Cells for a table each: those of one task, data set, family of splits and metric, on the axes that they have."""
    groups: dict[EvaluationSetting, list[Cell]] = {}
    for cell in found:
        assert cell.setting is not None
        groups.setdefault(replace(cell.setting, selection=""), []).append(cell)
    return [
        [replace(cell, axes={axis: cell.axes[axis] for axis in cell.axes if axis in axes}) for cell in members]
        for members in groups.values()
        for axes in [{axis for cell in members for axis, label in cell.axes.items() if label != ABSENT}]
    ]


def findings(plan: StudyPlan) -> Findings:
    """What the finished runs of a study say: all that its tables are made of."""
    report, found = plan.study.report, cells(plan)
    measured = (
        predictors(found, report.predictors, report.predict_at, report.families)
        if report.predictors and any(cell.tests for cell in found)
        else ()
    )
    return Findings(
        cells=tuple(found),
        groups=_of_one_figure(plan, found),
        chosen=tuple(_chosen(plan)),
        predictors=tuple(measured),
    )


def tables(plan: StudyPlan, *, interval: Interval = "t", values: bool = False, flat: bool = False) -> list[Table]:
    """The tables that the study asks for: its layout, if it has one, and the comparison with its baseline.

    Cells of different tasks or metrics have tables of their own, as no figure of one says anything of the other.
    Raises: RunError where figures of different metrics, splits or selections would stand in one column.
    """
    return tables_of(findings(plan), plan.study.report, interval=interval, values=values, flat=flat)


def tables_of(
    found: Findings, report: Report, *, interval: Interval = "t", values: bool = False, flat: bool = False
) -> list[Table]:
    """As `tables`, of what a study found, laid out as its report says."""
    made: list[Table] = []
    if report.columns and not flat:
        made.append(grid_table(found.cells, report.rows or _others(found.cells, report.columns), report.columns))
    if report.baseline or flat or not made or values:
        baseline = {axis: label(value) for axis, value in report.baseline.items()} or None
        for number in dict.fromkeys(found.groups):
            group = [cell for cell, own in zip(found.cells, found.groups, strict=True) if own == number]
            made.append(long_table(group, baseline=baseline, interval=interval, values=values))
    made[-1] = replace(made[-1], notes=(*made[-1].notes, *found.chosen))
    if found.predictors:
        made.append(predictor_table(found.predictors, report.predict_at))
    return made


def _of_one_figure(plan: StudyPlan, found: Sequence[Cell]) -> tuple[int, ...]:
    """A number for each cell, equal for those whose figures may be read against each other; unfinished by recipe."""
    recipes = [searched.variant.recipe for searched in plan.cells]
    finished = {
        (repr(recipe.task.plain()), recipe.dataset.name): cell.setting
        for recipe, cell in zip(recipes, found, strict=True)
        if cell.setting
    }
    groups: dict[tuple[object, ...], int] = {}
    numbers = []
    for recipe, cell in zip(recipes, found, strict=True):
        ground = cell.setting or finished.get((repr(recipe.task.plain()), recipe.dataset.name))
        key = (ground.task, ground.metric, ground.higher_is_better) if ground else (recipe.task.name,)
        numbers.append(groups.setdefault(key, len(groups)))
    return tuple(numbers)


def _chosen(plan: StudyPlan) -> list[str]:
    """The settings that searches chose, in words."""
    said = []
    for searched in plan.cells if plan.study.tune else ():
        if searched.final is not None:
            cell = ", ".join(searched.variant.axes.values()) or "The only cell"
            setting = ", ".join(f"{path}={label(value)}" for path, value in searched.setting.items())
            said.append(
                f"{cell}: {setting or 'nothing to tune'}, chosen by validation out of {len(searched.trials)} trials."
            )
    return said


def _cell(searched: SearchCell, selection: str) -> Cell:
    scores: list[Score] = []
    ground: EvaluationSetting | None = None
    for planned in searched.final or ():
        if not planned.finished:
            continue
        run = Run(planned.path)
        own = ground_of(run, selection)
        if ground is not None and own != ground:
            raise RunError(
                f"{planned.path} — differs in what it measures from the other runs of its cell: {own}, {ground}"
            )
        ground = own
        scores.append(Score(run.seed, planned.split, run.test, run.val, run.status, str(run.path)))
    waited_for = [planned for planned in searched.final or () if not planned.finished]
    failed = sum(planned.failure is not None for planned in waited_for)
    missing = len(waited_for) - failed
    if searched.final is None and searched.is_hopeless:
        failed = searched.reported  # no trial has a value, so that there is no setting to report
    elif searched.final is None:
        missing = searched.reported
    scores.sort(key=lambda score: score.key)
    return Cell(dict(searched.variant.axes), ground, tuple(scores), failed, missing)


def _others(found: Sequence[Cell], columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(axis for axis in (found[0].axes if found else ()) if axis not in columns)
