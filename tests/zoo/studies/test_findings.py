"""A study's findings as a file: the tables that it gives are those of the runs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import RunError
from zoo.studies.findings import Findings, read_findings
from zoo.studies.predictors import Predictor
from zoo.studies.render import render
from zoo.studies.results import findings, tables, tables_of
from zoo.studies.statistics import Correlation
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Report, Study


def back(found: Findings, tmp_path) -> Findings:
    file = tmp_path / "record.json"
    file.write_text(found.text("zoo study table s"), encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["command"] == "zoo study table s"
    return read_findings(file)


def test_tables_come_from_the_file_as_from_the_runs(tmp_path, result):
    """Grid, comparison and predictors, with all notes, letter by letter; a run has no figure and one is missing."""
    report = Report(
        columns=("model.depth",), baseline={"normalizer": "none"}, predictors=("q",), families=("normalizer",)
    )
    vary = {"normalizer": ("none", "layer"), "model.depth": (2, 3)}
    plan = StudyPlan(
        Study.model_validate({"name": "s", "base": "smoke/res-gcn", "vary": vary, "report": report}), tmp_path
    )
    draw = np.random.Generator(np.random.PCG64(0))
    for index, run in enumerate(list(plan.runs())[:-1]):
        probes = [{"step": 0, "epoch": 0, "q": draw.uniform()}]
        figure = None if index == 3 else draw.uniform()
        result(run.path, run.recipe, run.seed, val=figure, test=figure, probes=probes)
    wanted = [render(table, "markdown") for table in tables(plan)]
    made = tables_of(back(findings(plan), tmp_path), report)
    assert [render(table, "markdown") for table in made] == wanted
    assert len(wanted) == 3
    csv = [render(table, "csv") for table in tables_of(back(findings(plan), tmp_path), report, flat=True)]
    assert csv == [render(table, "csv") for table in tables(plan, flat=True)]


def test_everything_is_kept_but_where_it_came_from(cell, tmp_path):
    """Splits, statuses, counts, ranges, what a search chose; paths and the values of quantities stay behind."""
    odd = cell([0.1, None, 0.3, 0.4], splits=[0, 1], failed=2, missing=1, on={"range": (0.0, None)}, m="ü")
    assert odd.setting is not None
    measured = Predictor("q", odd.setting, (1.0,), (2.0,), ("m=ü",), Correlation(0.5, None, None, 0.1, 9, 2, "r"), "f")
    found = Findings((odd, cell([], m="x", missing=3)), (0, 1), ("m: lr=0.1",), (measured,))
    read = back(found, tmp_path)
    scores = tuple(replace(score, path="") for score in odd.scores)
    assert read.cells == (replace(odd, scores=scores), found.cells[1])
    assert read.cells[0].range == (0.0, None)
    assert (read.groups, read.chosen) == (found.groups, found.chosen)
    assert read.predictors == (replace(measured, x=(), y=(), labels=()),)


@pytest.mark.parametrize("text", ["{", "[]", '{"grounds": []}', '{"grounds": [{}]}'])
def test_what_is_no_record_is_refused(text, tmp_path):
    """By its name, with what writes one."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match=r"x\.json — cannot be read: .*zoo study table … --format json"):
        read_findings(tmp_path / "x.json")
