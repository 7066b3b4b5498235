"""A study file: what is laid over what, relative to where, and every mistake at once."""

from pathlib import Path

import pytest

from zoo.errors import RecipeError, ZooError
from zoo.recipe import recipe_files
from zoo.studies.grid import variants
from zoo.studies.study_file import read_study
from zoo.studies.study_plan import StudyPlan

PLAN = [(study, quick) for study in recipe_files.studies() for quick in (False, True)]


@pytest.mark.parametrize(("study", "quick"), PLAN, ids=[f"{study}{' quick' * quick}" for study, quick in PLAN])
def test_shipped_studies_are_right(study, quick, tmp_path):
    """Every shipped study can be planned as it stands, in both its forms, and each of its cells has runs."""
    try:
        plan = StudyPlan(read_study(study, quick=quick), tmp_path)
    except ZooError as error:
        if "no quick form" in str(error) or "need optuna" in str(error):
            pytest.skip(str(error))
        raise
    assert plan.cells
    assert all(searched.runs for searched in plan.cells)
    assert plan.study.description


def problems_of(file: Path, **how) -> dict[str, str]:
    with pytest.raises(RecipeError) as caught:
        StudyPlan(read_study(file, **how), file.parent / "runs")
    return {problem.path: problem.text for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"vry": {}}, {"vry": "did you mean 'vary'"}),
        ({"base": None}, {"base": "missing"}),
        ({"base": "smoke/res-gc"}, {"": "did you mean 'smoke/res-gcn'"}),
        ({"tune": {"methd": "tpe"}}, {"tune.methd": "did you mean 'method'"}),
        ({"tune": {"method": "ranom"}}, {"tune.method": "did you mean 'random'"}),
        (
            {"tune": {"space": {"optimizer.lr": {"low": 1, "high": 2, "lg": 1}}}},
            {"tune.space.optimizer.lr.lg": "'log'"},
        ),
        ({"tune": {"space": {"optimizer.lr": {"low": 2, "high": 1}}}}, {"tune.space.optimizer.lr": "low below high"}),
        ({"tune": {"space": {"optimizer.lr": 3}}}, {"tune.space.optimizer.lr": "a list of values, or {low"}),
        ({"tune": {"space": {"optimzer.lr": [1]}, "method": "grid"}}, {"optimzer": "did you mean 'optimizer'"}),
        ({"tune": {"space": {"model.dropout": [0, "0"]}, "method": "grid"}}, {"tune.space.model.dropout": "same"}),
        ({"report": {"rows": ["model.dept"]}, "vary": {"model.depth": [2]}}, {"report.rows": "mean 'model.depth'"}),
        ({"report": {"x": "depth"}}, {"report.x": "no axis"}),
        ({"report": {"families": ["mdel"]}, "vary": {"model": ["gcn"]}}, {"report.families": "did you mean 'model'"}),
        ({"report": {"rws": []}}, {"report.rws": "did you mean 'rows'"}),
        ({"report": {"predict_at": "bst"}}, {"report.predict_at": "did you mean 'best'"}),
        ({"report": {"baseline": {"m": "B"}}, "vary": {"m": {"A": {}}}}, {"report.baseline.m": "expected one of: A"}),
        ({"report": {"rows": ["m"], "columns": ["m"]}, "vary": {"m": {"A": {}}}}, {"report.columns": "named twice"}),
        (
            {"report": {"rows": ["a"], "columns": ["b"]}, "vary": {a: {"A": {}, "B": {"seeds": [1]}} for a in "abc"}},
            {"report": "'c' is neither in rows nor in columns"},
        ),
        ({"vary": 3}, {"vary": "a mapping of axes, or a list of cells"}),
        ({"vary": {"m": {}}}, {"vary.m": "at least one"}),
        ({"vary": {"m": 3}}, {"vary.m": "a list of values, or a mapping of named alternatives"}),
        ({"vary": {"m": {"A": 3}}}, {"vary.m.A": "a mapping"}),
        ({"vary": {"m": {"A": {"space": {"a": 3}}}}}, {"vary.m.A.space.a": "a list of values"}),
        ({"vary": {"space": [1]}}, {"vary.space": "a recipe path, or a name of your own"}),
        ({"vary": {"model.depth": [2, 2]}}, {"vary": "two cells are model.depth: 2"}),
        ({"vary": {"m": {"A": {"model.dpth": 3}}}}, {"m: A · model.dpth": "did you mean 'depth'"}),
        ({"vary": {"m": {"A": {"base": "smoke/res-gc"}}}}, {"m: A": "did you mean 'smoke/res-gcn'"}),
        ({"vary": {"m": {"A": {"space": {"optimizer.lr": [1]}}}}}, {"m: A · space": "there is no search"}),
        ({"seeds": [0, 0]}, {"seeds": "each number once"}),
        ({"splits": [-1]}, {"splits.0": "greater than or equal to 0"}),
        ({"splits": [0], "change": {"split": "default"}}, {"split": "has no number"}),
        ({"change": ["a"]}, {"change": "a mapping"}),
        ({"report": 3}, {"report": "a mapping"}),
        ({"plugins": "mine.py"}, {"plugins": "a list"}),
    ],
    ids=str,
)
def test_a_mistake_is_named_with_its_place(keys, said, study_file):
    """Each is found before anything is trained, where it stands, with what was expected or the nearest right thing."""
    problems = problems_of(study_file(**keys))
    assert list(problems) == list(said)
    for place, words in said.items():
        assert words in problems[place]


def test_mistakes_come_at_once(study_file):
    """Unknown keys, wrong values and unknown axes are in one message, each once."""
    keys = {"vry": {}, "seeds": [-1], "vary": {"m": {"A": {}}}, "report": {"rows": ["n"], "colums": []}, "tune": 3}
    assert set(problems_of(study_file(**keys))) == {"vry", "seeds.0", "report.rows", "report.colums", "tune"}


def test_mistakes_of_all_cells_come_at_once(study_file):
    """Every alternative that makes no recipe is named with its label, and what is wrong in all of them for each."""
    vary = {"m": {"A": {"model.dpth": 3}, "B": {}, "C": {"normalizer": "frobenus"}}, "model.width": [8, -1]}
    problems = problems_of(study_file(vary=vary))
    assert list(problems) == [  # each problem with its cells
        "m: A, model.width: 8 · model.dpth",
        "m: A, model.width: -1 · model.dpth",
        "m: A, model.width: -1 · model.width",
        "m: B, model.width: -1 · model.width",
        "m: C, model.width: -1 · model.width",
        "m: C, model.width: 8 · normalizer",
        "m: C, model.width: -1 · normalizer",
    ]
    assert "did you mean 'frobenius'" in problems["m: C, model.width: 8 · normalizer"]


@pytest.mark.parametrize("name", ["helo", "studies/helo", "helo.yaml"])
def test_an_unknown_study_suggests_the_nearest(name):
    """Names and paths that are not there are refused with a name that is near."""
    with pytest.raises(RecipeError, match=r"no such study — .*did you mean 'hello'"):
        read_study(name)


def test_yaml_that_is_none_is_told_by_line(tmp_path):
    """A file that cannot be read is named with the place."""
    (tmp_path / "bad.yaml").write_text("base: hello\nvary: [\n")
    with pytest.raises(RecipeError, match="line 3, column 1 — not valid YAML"):
        read_study(tmp_path / "bad.yaml")


def test_quick_is_laid_over(study_file):
    """Axes, seeds and splits replace; other mappings merge; other values replace."""
    file = study_file(
        change={"training": {"duration": "5 epochs", "patience": "3 epochs"}, "model.width": 8},
        vary={"model.depth": [2, 4, 8], "normalizer": ["none", "layer"]},
        seeds=[0, 1, 2],
        splits=[0, 1],
        tune={"trials": 8, "method": "grid", "space": {"optimizer.lr": [0.1], "model.dropout": [0, 0.5]}},
        report={"rows": ["model.depth"]},
        quick={
            "change": {"training": {"duration": "2 epochs"}},
            "vary": {"model.depth": [2]},
            "seeds": [7],
            "splits": [3],
            "tune": {"trials": 2, "space": {"optimizer.lr": [0.01]}},
        },
    )
    full, quick = read_study(file), read_study(file, quick=True)
    assert (full.name, quick.name) == ("tiny", "tiny-quick")
    assert full.seeds == (0, 1, 2)
    assert full.vary == {"model.depth": (2, 4, 8), "normalizer": ("none", "layer")}
    assert quick.change == {"training": {"duration": "2 epochs", "patience": "3 epochs"}, "model.width": 8}
    assert quick.vary == {"model.depth": (2,)}
    assert (quick.seeds, quick.splits) == ((7,), (3,))
    assert quick.tune is not None
    assert (quick.tune.trials, quick.tune.method) == (2, "grid")
    assert dict(quick.tune.space) == {"optimizer.lr": (0.01,), "model.dropout": (0, 0.5)}
    assert quick.report == full.report


@pytest.mark.parametrize("quick", [{}, {"quick": None}, {"quick": [1]}, {"quick": {1: 2}}], ids=str)
def test_without_a_quick_form_there_is_none(quick, study_file):
    """Asked for what a study has not, the command does not run the long form instead."""
    assert "no quick form" in problems_of(study_file(**quick), quick=True)["quick"]


def test_quick_may_end_a_search(study_file):
    """`tune: null` in the quick form leaves the search out."""
    file = study_file(tune={"method": "grid", "space": {"optimizer.lr": [0.1]}}, quick={"tune": None})
    assert read_study(file).tune is not None
    assert read_study(file, quick=True).tune is None


def test_typed_changes_come_last(study_file):
    """What is typed is in every cell, after the study's own changes; seeds replace."""
    file = study_file(change={"model.depth": 2, "model": {"name": "gcn", "width": 8}}, seeds=[0])
    study = read_study(file, changes={"model.depth": 3, "seeds": [4, 5]})
    assert list(study.change) == ["model", "model.depth"]
    assert study.seeds == (4, 5)
    assert StudyPlan(study, "none").cells[0].variant.recipe.model.options["depth"] == 3


def test_an_axis_is_not_changed_by_typing(study_file):
    """A change that the study would undo in every cell is refused, not ignored."""
    file = study_file(vary={"model.depth": [2, 4]})
    assert "is an axis of the study" in problems_of(file, changes={"model.depth": 8})["model.depth"]


PLUGIN = """
from registry import schedules
from zoo.training.schedule import Constant

@schedules.register("mine")
class Mine(Constant):
    '''A schedule of one's own.'''
"""


def test_paths_are_relative_to_the_study(study_file, tmp_path, monkeypatch):
    """Recipes, also those of alternatives, and plug-ins beside a study are found from anywhere."""
    for name, depth in (("mine", 3), ("other", 5)):
        (tmp_path / f"{name}.yaml").write_text(f"extends: smoke/res-gcn\nmodel: {{depth: {depth}}}\n")
    (tmp_path / "mine.py").write_text(PLUGIN)
    vary = {"m": {"own": {}, "beside": {"base": "other.yaml"}, "shipped": {"base": "smoke/gcn"}}}
    file = study_file(base="mine.yaml", plugins=["mine.py"], vary=vary, change={"schedule": "mine"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    recipes = [
        searched.variant.recipe for searched in StudyPlan(read_study("../tiny.yaml", allow_plugins=True), "runs").cells
    ]
    assert [recipe.model.options["depth"] for recipe in recipes[:2]] == [3, 5]
    assert [recipe.name for recipe in recipes] == ["mine", "other", "smoke/gcn"]
    assert all(recipe.plugins == (str(file.parent / "mine.py"),) for recipe in recipes)
    cells = [{"base": "other.yaml"}, {"base": "mine.yaml"}]
    file = study_file("cells", vary=cells, change={"schedule": "mine"}, plugins=["mine.py"])
    study = read_study(file, plugins=[tmp_path / "mine.py"])
    assert [searched.variant.recipe.name for searched in StudyPlan(study, "runs").cells] == [
        "other",
        "mine",
    ]


def test_a_study_runs_nothing_by_itself(study_file, tmp_path):
    """Its own plug-ins, those of its recipes, of alternatives, changes and its quick form have to be allowed."""
    (tmp_path / "evil.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "evil.yaml").write_text("extends: smoke/res-gcn\nplugins: [evil.py]\n")
    for name, keys in enumerate(
        [
            {"plugins": ["evil.py"]},
            {"base": "evil.yaml"},
            {"vary": {"m": {"A": {"base": "evil.yaml"}}}},
            {"change": {"plugins": [str(tmp_path / "evil.py")]}},
            {"vary": {"plugins": [[str(tmp_path / "evil.py")]]}},
            {"vary": {"m": {"A": {"plugins": str(tmp_path / "evil.py")}}}},
            {"tune": {"method": "grid", "space": {"plugins": [str(tmp_path / "evil.py")]}}},
        ]
    ):
        with pytest.raises(RecipeError, match=r"evil\.py — expected --allow-plugins"):
            StudyPlan(read_study(study_file(f"s{name}", **keys)), tmp_path / "runs")
    quick = study_file("quick", quick={"plugins": ["evil.py"]})
    assert read_study(quick).plugins == ()
    with pytest.raises(RecipeError, match=r"study .*quick\.yaml — 1 problem:\n  plugins — it wants to run code"):
        read_study(quick, quick=True)


def test_a_study_cannot_allow_itself(study_file):
    """The option is the user's, and no key of the file."""
    problems = problems_of(study_file(allow_plugins=True))
    assert list(problems) == ["allow_plugins"]


def test_a_grid_without_end_is_refused(study_file):
    """The cells are counted, and not made."""
    vary = {f"model.x{number}": list(range(10)) for number in range(12)}
    with pytest.raises(RecipeError, match="1000000000000 cells — expected at most 2000"):
        StudyPlan(read_study(study_file(vary=vary)), "runs")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", ["alternatives", "predictors"])
def test_normalisers_are_compared_without_patience(name, quick):
    """Patience would end batch norm, whose running statistics lag, and not others: every cell trains to the end."""
    found = variants(read_study(name, quick=quick))
    assert {cell.recipe.training.patience for cell in found} == {None}
    assert len({cell.recipe.training.duration for cell in found}) == 1


def test_the_shipped_predictors_are_measured_alike():
    """μ(X) is held against the figure as μ(G) is: at the first and the last block, and by its imbalance."""
    report = read_study("predictors").report
    for side, other in (("gradients", ""), ("representations", "@first")):
        assert {f"{side}.mu.plain{other}", f"{side}.mu.plain@imbalance"} <= set(report.predictors)
    assert report.families == ("model",)
