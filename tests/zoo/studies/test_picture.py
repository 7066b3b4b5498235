"""What a study draws: the numbers in the picture are those of the runs."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from zoo.errors import RunError
from zoo.studies.picture import pictures
from zoo.studies.study_plan import StudyPlan
from zoo.studies.study_schema import Report, Study


@pytest.fixture
def filled(tmp_path, result):
    """A plan whose runs have figures and readings: test = depth/100 + seed/1000, and q = test."""

    def fill(**keys) -> StudyPlan:
        plan = StudyPlan(
            Study.model_validate({"name": "s", "base": "smoke/res-gcn", "seeds": (0, 1), **keys}), tmp_path
        )
        for run in plan.runs():
            test = run.recipe.model.options["depth"] / 100 + run.seed / 1000
            readings = [{"step": 0, "epoch": 0, "q": test, "gradients.norm": [test, 1.0]}]
            result(run.path, run.recipe, run.seed, test=test, probes=readings)
        return plan

    return fill


def means(axes) -> list[tuple[list[float], list[float]]]:
    """The lines that are labelled, as (x, y)."""
    lines = [line for line in axes.get_lines() if not line.get_label().startswith("_") and len(line.get_xdata())]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def test_a_line_runs_along_the_numeric_axis(filled):
    """The last axis of numbers is along the bottom, in order; other axes are lines; means are over the seeds."""
    plan = filled(vary={"normalizer": ("none", "layer"), "model.depth": (8, 2, 4)})
    (axes,) = pictures(plan)["sweep"].axes
    assert axes.get_xlabel() == "model.depth"
    assert axes.get_ylabel() == "test accuracy"
    drawn = means(axes)
    assert len(drawn) == 2
    for x, y in drawn:
        assert x == [2, 4, 8]
        np.testing.assert_allclose(y, [depth / 100 + 0.0005 for depth in x])


def test_the_axis_may_be_chosen(filled):
    """`report.x` names it, also where the labels of named alternatives are numbers; data sets are panels."""
    vary = {
        "blocks": {2: {"model.depth": 2}, 64: {"model.depth": 4}},
        "model.width": (8, 16),
        "dataset": {"small": {}, "large": {"dataset.nodes": 300}},
    }
    figure = pictures(filled(vary=vary, report=Report(x="blocks")))["sweep"]
    assert [axes.get_title() for axes in figure.axes] == ["small", "large"]
    for axes in figure.axes:
        assert axes.get_xlabel() == "blocks"
        for x, y in means(axes):
            assert x == [2, 64]
            np.testing.assert_allclose(y, [0.0205, 0.0405])


def test_tasks_have_panels_with_their_own_figure(tmp_path, result):
    """Nodes and links of one data set are not drawn on one scale, and each panel says which metric and direction."""
    plan = StudyPlan(
        Study.model_validate(
            {
                "name": "s",
                "base": "smoke/res-gcn",
                "seeds": (0,),
                "vary": {"what": {"nodes": {}, "values": {"dataset": "karate"}}, "model.depth": (2, 4)},
            }
        ),
        tmp_path,
    )
    for run in plan.runs():
        values = {"metric": "rmse", "higher_is_better": False} if run.recipe.dataset.name == "karate" else {}
        result(run.path, run.recipe, run.seed, **values)
    axes = pictures(plan)["sweep"].axes
    assert [each.get_title() for each in axes] == ["nodes", "values"]
    assert [each.get_ylabel() for each in axes] == ["test accuracy", "test rmse (lower is better)"]


def test_words_among_numbers_are_level_lines(filled):
    """What has no place on the axis is drawn from its one end to the other, at its mean."""
    vary = {"m": {"2": {"model.depth": 2}, "none": {"model.depth": 8}, "4": {"model.depth": 6}}}
    (axes,) = pictures(filled(vary=vary, report=Report(x="m")))["sweep"].axes
    lines = {line.get_label(): line for line in axes.get_lines() if np.size(line.get_xdata()) == 2}
    assert np.asarray(lines["none"].get_xdata()).tolist() == [2, 4]
    np.testing.assert_allclose(np.asarray(lines["none"].get_ydata()), 0.0805)
    np.testing.assert_allclose(np.asarray(lines["m"].get_ydata()), [0.0205, 0.0605])


def test_an_axis_of_words_cannot_be_drawn_along(filled):
    """`report.x` on names is a mistake, not a crash."""
    plan = filled(vary={"m": {"A": {}, "B": {"model.width": 8}}}, report=Report(x="m"))
    with pytest.raises(RunError, match=r"report.x — 'm' has the label 'A', which is no number"):
        pictures(plan)


@pytest.mark.parametrize("x", [None, "model.depth"])
def test_nothing_finished_is_nothing_to_draw(x, tmp_path):
    """An empty picture would look like a result."""
    plan = StudyPlan(Study(name="s", base="smoke/res-gcn", vary={"model.depth": (2, 4)}, report=Report(x=x)), tmp_path)
    with pytest.raises(
        RunError, match="study s — has nothing to draw — expected finished runs, and an axis of numbers"
    ):
        pictures(plan)


def test_without_an_axis_there_is_nothing_to_draw(filled):
    """A study of names alone has no picture."""
    with pytest.raises(RunError, match="nothing to draw"):
        pictures(filled(vary={"normalizer": ("none", "layer")}))


def test_predictors_are_drawn_run_by_run(filled):
    """A point for each run, x the quantity, y the test figure; groups by the first axis; ρ is said."""
    plan = filled(vary={"normalizer": ("none", "layer"), "model.depth": (2, 4)}, report=Report(predictors=("q",)))
    made = pictures(plan)
    assert set(made) == {"sweep", "predictor-block-model-q"}
    (axes,) = made["predictor-block-model-q"].axes
    drawn = [np.asarray(item.get_offsets()) for item in axes.collections if isinstance(item, PathCollection)]
    points = [offsets for offsets in drawn if len(offsets)]
    assert [len(offsets) for offsets in points] == [4, 4]
    for offsets in points:
        np.testing.assert_allclose(offsets[:, 0], offsets[:, 1])
        np.testing.assert_allclose(sorted(offsets[:, 1]), [0.02, 0.021, 0.04, 0.041])
    assert "ρ = 1.00" in axes.get_title("left")
    assert "untrained" in axes.get_xlabel()


def test_the_families_of_a_picture_are_said(filled):
    """One picture for all runs, with ρ within each family on a line below that over all."""
    report = Report(predictors=("q",), families=("normalizer",))
    made = pictures(filled(vary={"normalizer": ("none", "layer"), "model.depth": (2, 4)}, report=report))
    assert set(made) == {"sweep", "predictor-block-model-q"}
    (axes,) = made["predictor-block-model-q"].axes
    assert axes.get_title("left").splitlines()[1] == "within none: +1.00, layer: +1.00"


def test_each_ground_has_its_own_picture(filled):
    """Data sets of one name and other options do not overwrite each other's pictures."""
    vary = {"dataset.nodes": (200, 300), "model.depth": (2, 4)}
    report = Report(predictors=("q", "gradients.norm"), predict_at="best")
    made = pictures(filled(vary=vary, report=report))
    assert set(made) == {
        "sweep",
        *(f"predictor-block-model-{number}-{name}" for number in (1, 2) for name in ("q", "gradients.norm")),
    }
    titles = {made[f"predictor-block-model-{number}-q"].get_suptitle() for number in (1, 2)}
    assert len(titles) == 2
