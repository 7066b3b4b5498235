"""Results of a study: its cells, tables and predictors from the runs that are finished, also as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.runs.jsonl import finite
from zoo.runs.run import Run
from zoo.studies.cells import Cell, EvaluationSetting, Score, axes_of
from zoo.studies.collect import ABSENT, SELECTION, setting_of
from zoo.studies.grid import label
from zoo.studies.predictors import Predictor, predictor_table, predictors
from zoo.studies.statistics import Correlation, Interval
from zoo.studies.study_plan import SearchCell, StudyPlan
from zoo.studies.study_schema import Report, Study
from zoo.studies.table import Table, grid_table, long_table

_SCORE = ("seed", "split", "test", "val", "status")


@dataclass(frozen=True)
class StudyResults:
    """Everything that a study's tables are made of.

    groups: a number for each cell, equal for those that may stand in one table. chosen: what searches chose, in words.
    predictors: correlations of probed quantities, without the runs' values if read back.
    """

    cells: tuple[Cell, ...]
    groups: tuple[int, ...]
    chosen: tuple[str, ...] = ()
    predictors: tuple[Predictor, ...] = ()

    def text(self, command: str) -> str:
        """Return JSON with a line for each setting ("ground"), cell and quantity. command: what prints the tables."""
        settings = list(dict.fromkeys(item.setting for item in (*self.cells, *self.predictors) if item.setting))
        parts: dict[str, Sequence[Mapping[str, Any]]] = {
            "grounds": [asdict(setting) for setting in settings],
            "cells": [
                {
                    "axes": dict(cell.axes),
                    "ground": settings.index(cell.setting) if cell.setting else None,
                    "group": group,
                    "failed": cell.failed,
                    "missing": cell.missing,
                    "scores": [[score.seed, score.split, score.test, score.val, score.status] for score in cell.scores],
                }
                for cell, group in zip(self.cells, self.groups, strict=True)
            ],
            "predictors": [
                {
                    "name": item.name,
                    "family": item.family,
                    "ground": settings.index(item.setting),
                    "correlation": asdict(item.correlation),
                }
                for item in self.predictors
            ],
        }
        head = {"command": command, "scores": _SCORE, "chosen": self.chosen}
        lines = [f'"{key}": {_json(value)}' for key, value in head.items()]
        for key, rows in parts.items():
            lines.append(f'"{key}": [\n' + ",\n".join(map(_json, rows)) + "]")
        return "{" + ",\n".join(lines) + "}\n"


def read_results(file: str | Path) -> StudyResults:
    """Read results from a file of their text. Raises: RunError if it cannot be read."""
    try:
        read = json.loads(Path(file).read_text(encoding="utf-8"))
        settings = [EvaluationSetting(**{**one, "range": tuple(one["range"])}) for one in read["grounds"]]
        return StudyResults(
            cells=tuple(
                Cell(
                    row["axes"],
                    None if row["ground"] is None else settings[row["ground"]],
                    tuple(Score(**dict(zip(_SCORE, score, strict=True)), path="") for score in row["scores"]),
                    row["failed"],
                    row["missing"],
                )
                for row in read["cells"]
            ),
            groups=tuple(row["group"] for row in read["cells"]),
            chosen=tuple(read["chosen"]),
            predictors=tuple(
                Predictor(row["name"], settings[row["ground"]], Correlation(**row["correlation"]), family=row["family"])
                for row in read["predictors"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error} — expected what 'zoo study table … --format json' writes"
        raise RunError(f"{file} — cannot be read: {reason}") from error


def _json(value: Any) -> str:
    return json.dumps(finite(value), ensure_ascii=False)


def results(plan: StudyPlan) -> StudyResults:
    """Collect the results of a study's finished runs."""
    report, found = plan.study.report, cells(plan)
    measured = (
        predictors(found, report.predictors, report.predict_at, report.families)
        if report.predictors and any(cell.tests for cell in found)
        else ()
    )
    return StudyResults(tuple(found), _groups(plan, found), tuple(_chosen(plan)), tuple(measured))


def cells(plan: StudyPlan) -> list[Cell]:
    """Return one cell for each of the study, with the scores of its reported runs."""
    return [_cell(searched, selection_of(plan.study)) for searched in plan.cells]


def tables(plan: StudyPlan, *, interval: Interval = "t", values: bool = False, flat: bool = False) -> list[Table]:
    """Make the tables that the study asks for: its layout, if it has one, and the comparison with its baseline.

    Cells of different tasks or metrics have tables of their own.
    Raises: RunError where scores of different metrics, splits or selections would stand in one column.
    """
    return tables_of(results(plan), plan.study.report, interval=interval, values=values, flat=flat)


def tables_of(
    found: StudyResults, report: Report, *, interval: Interval = "t", values: bool = False, flat: bool = False
) -> list[Table]:
    """Make the tables of results, as `tables` does, laid out as the study's report says."""
    made: list[Table] = []
    if report.columns and not flat:
        others = [axis for axis in axes_of(found.cells[:1]) if axis not in report.columns]
        made.append(grid_table(found.cells, report.rows or others, report.columns))
    if report.baseline or flat or not made or values:
        baseline = {axis: label(value) for axis, value in report.baseline.items()} or None
        for number in dict.fromkeys(found.groups):
            group = [cell for cell, own in zip(found.cells, found.groups, strict=True) if own == number]
            made.append(long_table(group, baseline=baseline, interval=interval, values=values))
    made[-1] = replace(made[-1], notes=(*made[-1].notes, *found.chosen))
    if found.predictors:
        made.append(predictor_table(found.predictors, report.predict_at))
    return made


def selection_of(study: Study) -> str:
    """Return in words how a score of the study was chosen, which has to be equal for two scores to be compared."""
    tuning = study.tune
    if tuning is None:
        return SELECTION
    return f"{SELECTION}; settings by validation, {tuning.trials} trials ({tuning.method})"


def joined(sources: Sequence[tuple[str, Sequence[Cell]]]) -> list[Cell]:
    """Return the cells of all sources with one set of axes: `from` if there are several sources, then the others."""
    axes = axes_of(cell for _, found in sources for cell in found)
    several = len(sources) > 1
    return [
        replace(
            cell, axes={**({"from": name} if several else {}), **{axis: cell.axes.get(axis, ABSENT) for axis in axes}}
        )
        for name, found in sources
        for cell in found
    ]


def by_setting(found: Sequence[Cell]) -> list[list[Cell]]:
    """Group cells for a table each: one task, data set, family of splits and metric, on the axes that they have."""
    groups: dict[EvaluationSetting, list[Cell]] = {}
    for cell in found:
        assert cell.setting is not None
        groups.setdefault(replace(cell.setting, selection=""), []).append(cell)
    return [
        [replace(cell, axes={axis: cell.axes[axis] for axis in cell.axes if axis in axes}) for cell in members]
        for members in groups.values()
        for axes in [{axis for cell in members for axis, label in cell.axes.items() if label != ABSENT}]
    ]


def _cell(searched: SearchCell, selection: str) -> Cell:
    scores: list[Score] = []
    setting: EvaluationSetting | None = None
    finals = searched.final or ()
    for planned in finals:
        if not planned.finished:
            continue
        run = Run(planned.path)
        own = setting_of(run, selection)
        if setting is not None and own != setting:
            raise RunError(
                f"{planned.path} — differs in what it measures from the other runs of its cell: {own}, {setting}"
            )
        setting = own
        scores.append(Score(run.seed, planned.split, run.test, run.val, run.status, str(run.path)))
    open_runs = [planned for planned in finals if not planned.finished]
    failed = sum(planned.failure is not None for planned in open_runs)
    missing = len(open_runs) - failed
    if searched.final is None and searched.is_hopeless:
        failed = searched.reported  # no trial has a value, so that there are no parameters to report
    elif searched.final is None:
        missing = searched.reported
    scores.sort(key=lambda score: score.key)
    return Cell(dict(searched.variant.axes), setting, tuple(scores), failed, missing)


def _groups(plan: StudyPlan, found: Sequence[Cell]) -> tuple[int, ...]:
    """Return a number for each cell, equal for those whose scores may be compared; of unfinished ones by recipe."""
    recipes = [searched.variant.recipe for searched in plan.cells]
    keys = [(repr(recipe.task.plain()), recipe.dataset.name) for recipe in recipes]
    finished = {key: cell.setting for key, cell in zip(keys, found, strict=True) if cell.setting}
    groups: dict[tuple[object, ...], int] = {}
    numbers = []
    for recipe, key, cell in zip(recipes, keys, found, strict=True):
        setting = cell.setting or finished.get(key)
        group = (setting.task, setting.metric, setting.higher_is_better) if setting else (recipe.task.name,)
        numbers.append(groups.setdefault(group, len(groups)))
    return tuple(numbers)


def _chosen(plan: StudyPlan) -> list[str]:
    """Return the parameters that searches chose, in words."""
    lines = []
    for searched in plan.cells if plan.study.tune else ():
        if searched.final is not None:
            cell = ", ".join(searched.variant.axes.values()) or "The only cell"
            params = ", ".join(f"{path}={label(value)}" for path, value in searched.params.items())
            trials = f"chosen by validation out of {len(searched.trials)} trials"
            lines.append(f"{cell}: {params or 'nothing to tune'}, {trials}.")
    return lines
