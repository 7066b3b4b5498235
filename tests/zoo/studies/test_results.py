"""The results of a study: tables against numbers computed anew from its result files, and the same from JSON."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import RunError
from zoo.runs import folder
from zoo.studies.baseline import baseline_named
from zoo.studies.predictors import Predictor
from zoo.studies.render import render
from zoo.studies.results import (
    StudyResults,
    cells,
    joined,
    read_results,
    results,
    selection_of,
    tables,
    tables_of,
)
from zoo.studies.statistics import Correlation
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Report, Study, Tuning
from zoo.studies.table import long_table

T3 = 4.302652729911275  # Student's t, 97.5 %, two degrees of freedom: any table of it


def study(**keys) -> Study:
    return Study.model_validate({"name": "s", "base": "smoke/res-gcn", "vary": {"model.depth": (2, 3)}, **keys})


@pytest.fixture
def filled(tmp_path, result):
    """A plan whose runs all have figures, drawn with a fixed seed."""

    def fill(planned: Study, below: str = "runs") -> StudyPlan:
        draw = np.random.Generator(np.random.PCG64(0))
        plan = StudyPlan(planned, tmp_path / below)
        while open_ := [run for run in plan.runs() if not run.finished]:
            for run in open_:
                result(run.path, run.recipe, run.seed, val=draw.uniform(), test=draw.uniform())
        return plan

    return fill


def figures_of(plan: StudyPlan, depth: int) -> dict[int, dict]:
    """The result files of a depth, read as anybody would read them."""
    found = {}
    for file in plan.root.rglob("result.json"):
        if f"depth: {depth}\n" in (file.parent / "recipe.yaml").read_text():
            values = json.loads(file.read_text())
            found[values["seed"]] = values
    return dict(sorted(found.items()))


def test_figures_are_those_of_the_result_files(filled):
    """Mean, sample deviation, interval, validation and paired difference agree to the last digit shown."""
    plan = filled(study(report=Report(baseline={"model.depth": 2})))
    (table,) = tables(plan)
    tests = {depth: np.array([row["test"] for row in figures_of(plan, depth).values()]) for depth in (2, 3)}
    for row, (depth, values) in zip(table.rows, tests.items(), strict=True):
        mean, sd = values.sum() / 3, math.sqrt(((values - values.mean()) ** 2).sum() / 2)
        ends = max(0.0, mean - T3 * sd / math.sqrt(3)), min(1.0, mean + T3 * sd / math.sqrt(3))
        val = np.mean([row["val"] for row in figures_of(plan, depth).values()])
        assert row[:3] == (str(depth), f"{mean:.3f} ± {sd:.3f}", "3")
        assert row[3].replace("−", "-") == f"[{ends[0]:.3f}, {ends[1]:.3f}]"
        assert row[4] == f"{val:.3f}"
    differences = tests[3] - tests[2]
    assert table.rows[1][5].replace("−", "-").startswith(f"{differences.mean():+.3f} [")
    margin = T3 * differences.std(ddof=1) / math.sqrt(3)
    assert f"{min(1.0, differences.mean() + margin):+.3f}]" in table.rows[1][5].replace("−", "-")
    assert table.rows[0][5] == "baseline"


def test_a_layout_puts_the_same_figures_elsewhere(filled):
    """Rows and columns of a grid hold the means of the cells, and single runs come at full precision as CSV."""
    vary = {"model.depth": (2, 3), "normalizer": ("none", "layer")}
    plan = filled(study(vary=vary, report=Report(columns=("normalizer",))))
    (grid,) = tables(plan)
    assert (grid.head, [row[0] for row in grid.rows]) == (("model.depth", "none", "layer"), ["2", "3"])
    for cell in cells(plan):
        depth, column = cell.axes["model.depth"], grid.head.index(cell.axes["normalizer"])
        values = np.array(cell.tests)
        (entry,) = [row[column] for row in grid.rows if row[0] == depth]
        assert entry == f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
    assert [made.head for made in tables(plan, flat=True)] == [long_table(cells(plan)).head]
    rows = list(csv.DictReader(io.StringIO(render(tables(plan, flat=True)[0], "csv"))))
    for row, searched in zip(rows, plan.cells, strict=True):
        for run in searched.final or ():
            value = json.loads((run.path / "result.json").read_text())["test"]
            assert float(row[f"test.run {run.seed}"]) == value


def test_layout_and_baseline_give_two_tables(filled):
    """A grid for the eye and the comparison beside it; `values` adds the single runs to the latter."""
    plan = filled(study(report=Report(columns=("model.depth",), baseline={"model.depth": 2})))
    assert [len(made.rows) for made in tables(plan)] == [1, 2]
    assert [made.head[-1] for made in tables(plan, values=True)] == ["depth 3", "runs"]


def test_tasks_and_metrics_have_tables_of_their_own(tmp_path, result):
    """Cells whose figures mean different things are not put in one column; unfinished ones stand with their like."""
    vary = {"data": {"blocks": {}, "karate": {"dataset": "karate"}}, "model.depth": (2, 3)}
    plan = StudyPlan(study(vary=vary, seeds=(0, 1, 2), report=Report(baseline={"model.depth": 2})), tmp_path)
    for run in plan.runs():
        karate = run.recipe.dataset.name == "karate"
        if not (karate and run.recipe.model.options["depth"] == 2 and run.seed == 2):
            values = {"metric": "rmse", "higher_is_better": False} if karate else {}
            test = 0.5 + 0.1 * run.recipe.model.options["depth"] + 0.01 * run.seed**2
            result(run.path, run.recipe, run.seed, test=test, **values)
    made = tables(plan)
    assert [[row[:2] for row in table.rows] for table in made] == [
        [("blocks", "2"), ("blocks", "3")],
        [("karate", "2"), ("karate", "3")],
    ]
    assert "rmse of the test part at the best validation epoch; lower is better." in made[1].notes[0]
    for table in made:
        assert table.rows[1][6].startswith("+0.100")  # the difference itself: worse where lower is better


def test_what_is_missing_or_failed_is_counted(tmp_path, result):
    """A cell says how many of its runs it is over, and why."""
    plan = StudyPlan(study(vary={}, seeds=(0, 1, 2, 3)), tmp_path)
    first, second, third, _ = plan.runs()
    result(first.path, first.recipe, 0, test=0.25)
    folder.note_failure(second.path, "out of luck")
    result(third.path, third.recipe, 2, test=None, val=None, status="non-finite")
    (cell,) = cells(plan)
    assert (cell.tests, cell.failed, cell.missing, cell.runs) == ((0.25,), 1, 1, 4)
    assert tables(plan)[0].rows[0][1] == "1 of 4; 1 without a figure, 1 failed, 1 not finished"


def test_an_unfinished_search_lacks_the_runs_that_it_will_report(tmp_path):
    """Trials are not runs of the cell; one without hope has failed in all of them."""
    tuned = study(vary={}, tune=Tuning(method="grid", space={"optimizer.lr": (0.1, 0.2)}))
    plan = StudyPlan(tuned, tmp_path)
    assert [(cell.missing, cell.failed) for cell in cells(plan)] == [(3, 0)]
    for run in list(plan.runs()):
        folder.note_failure(run.path, "out of luck")
    list(plan.runs())
    assert [(cell.missing, cell.failed) for cell in cells(plan)] == [(0, 3)]
    assert tables(plan)[0].rows[0][:2] == ("–", "0 of 3; 3 failed")


def test_nothing_finished_is_an_empty_table(tmp_path):
    """Before the first run the table shows the cells that there will be."""
    plan = StudyPlan(study(report=Report(columns=("model.depth",), predictors=("gradients.norm",))), tmp_path)
    (made,) = tables(plan)
    assert made.rows == (("–", "–"),)


def test_runs_of_a_cell_stand_on_one_ground(tmp_path, result):
    """Runs that measured different things are not averaged."""
    plan = StudyPlan(study(vary={}, seeds=(0, 1)), tmp_path)
    for run, metric in zip(plan.runs(), ("accuracy", "ROC-AUC"), strict=True):
        result(run.path, run.recipe, run.seed, metric=metric)
    with pytest.raises(RunError, match="seed-1 — differs in what it measures from the other runs of its cell"):
        cells(plan)


def test_selections_tell_searches_apart():
    """How a figure was chosen is part of what it is: not at all, or over how many trials of which search."""
    plain, eight = selection_of(study()), selection_of(study(tune=Tuning()))
    assert plain == "test at best validation"
    assert "8 trials (tpe)" in eight
    assert (
        len(
            {
                plain,
                eight,
                selection_of(study(tune=Tuning(trials=9))),
                selection_of(study(tune=Tuning(method="random"))),
            }
        )
        == 4
    )


def test_tuned_and_untuned_figures_are_not_mixed(filled):
    """Two studies of one data set are put into one table only if their figures were chosen alike."""
    plain = filled(study(vary={}), "plain")
    tuned = filled(study(vary={}, tune=Tuning(method="grid", space={"optimizer.lr": (0.1, 0.2)})), "tuned")
    with pytest.raises(RunError, match=r"from=a has test at best validation and from=b has .* 8 trials"):
        long_table(joined([("a", cells(plain)), ("b", cells(tuned))]))
    assert len(long_table(joined([("a", cells(plain)), ("b", cells(plain))])).rows) == 2


def test_sources_are_joined_on_all_their_axes(cell):
    """An axis says which source a cell is from, where there are several; what one has not is left open."""
    first, second = cell(depth="2"), cell(norm="layer")
    assert [dict(made.axes) for made in joined([("a", [first]), ("b", [second])])] == [
        {"from": "a", "depth": "2", "norm": "–"},
        {"from": "b", "depth": "–", "norm": "layer"},
    ]
    assert joined([("a", [first])]) == [first]
    assert joined([]) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("layer", {"norm": "layer"}),
        ("norm=layer", {"norm": "layer"}),
        ("frobenius c=1", {"norm": "frobenius c=1"}),
        ("norm=frobenius c=1", {"norm": "frobenius c=1"}),
        ("depth=2", {"depth": "2"}),
        ("width=2", {"width": "2"}),
    ],
)
def test_a_baseline_is_named_by_its_label(name, found, cell):
    """Alone where no other axis has it, with its axis elsewhere; a label may itself hold an equals sign."""
    found_cells = [cell(norm=norm, depth="2", width="2") for norm in ("layer", "frobenius c=1")]
    assert baseline_named(found_cells, name) == found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2", "is a label of several axes — expected one of: depth=2, width=2"),
        ("layr", "no cell has that label — expected one of: 2, layer — did you mean 'layer'"),
        ("norm=batch", "no cell has that label"),
        ("dept=2", "no cell has that label"),
    ],
)
def test_a_baseline_that_is_none_is_refused(name, said, cell):
    """With the labels that there are, and the nearest."""
    with pytest.raises(RunError, match=said):
        baseline_named([cell(norm="layer", depth="2", width="2")], name)


def back(found: StudyResults, tmp_path) -> StudyResults:
    file = tmp_path / "record.json"
    file.write_text(found.text("zoo study table s"), encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["command"] == "zoo study table s"
    return read_results(file)


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
    made = tables_of(back(results(plan), tmp_path), report)
    assert [render(table, "markdown") for table in made] == wanted
    assert len(wanted) == 3
    csv = [render(table, "csv") for table in tables_of(back(results(plan), tmp_path), report, flat=True)]
    assert csv == [render(table, "csv") for table in tables(plan, flat=True)]


def test_everything_is_kept_but_where_it_came_from(cell, tmp_path):
    """Splits, statuses, counts, ranges, what a search chose; paths and the values of quantities stay behind."""
    odd = cell([0.1, None, 0.3, 0.4], splits=[0, 1], failed=2, missing=1, on={"range": (0.0, None)}, m="ü")
    assert odd.setting is not None
    measured = Predictor("q", odd.setting, Correlation(0.5, None, None, 0.1, 9, 2, "r"), (1.0,), (2.0,), ("m=ü",), "f")
    found = StudyResults((odd, cell([], m="x", missing=3)), (0, 1), ("m: lr=0.1",), (measured,))
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
        read_results(tmp_path / "x.json")
