"""`zoo compare`: runs and studies in one table."""

import csv
import io

import pytest

from zoo import api
from zoo.recipe.load import load
from zoo.runs.folder import place
from zoo.studies.study_file import read_study
from zoo.studies.study_plan import StudyPlan


@pytest.fixture
def runs(tmp_path, result):
    """Runs of two recipes below `runs`, three seeds each: the first tests better by 0.1, 0.2 and 0.3."""
    tests = {"smoke/res-gcn": (0.7, 0.8, 0.9), "smoke/gcn": (0.6, 0.6, 0.6)}
    for name, figures in tests.items():
        recipe = load(name)
        for seed, test in enumerate(figures):
            result(place(tmp_path / "runs", recipe, api.identity_of(recipe), seed), recipe, seed, test=test)
    return tmp_path / "runs"


@pytest.fixture
def studied(study_file, tmp_path, result):
    """A study whose runs below `runs` are finished, and test at 0.25 or, tuned, at 0.75."""

    def make(name: str, test: float = 0.25, **keys):
        file = study_file(name, **keys)
        plan = StudyPlan(read_study(file), tmp_path / "runs")
        while open_ := [run for run in plan.runs() if not run.finished]:
            for run in open_:
                result(run.path, run.recipe, run.seed, test=test)
        return file

    return make


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_runs_are_grouped_and_compared(runs, zoo_here):
    """A row for each recipe, with the paired difference to the one that is named."""
    done = zoo_here("compare", "runs", "--baseline", "smoke/gcn", "--format", "csv")
    assert done.code == 0, done.err
    found = {row["recipe"]: row for row in rows(done.out)}
    assert {name: float(row["test.mean"]) for name, row in found.items()} == pytest.approx(
        {"smoke/res-gcn": 0.8, "smoke/gcn": 0.6}
    )
    assert float(found["smoke/res-gcn"]["delta.mean"]) == pytest.approx(0.2)
    assert found["smoke/res-gcn"]["delta.pairs"] == "3"
    assert found["smoke/gcn"]["delta.mean"] == ""


def test_studies_and_runs_stand_in_one_table(runs, studied, zoo_here):
    """With one setting; an axis says which is from where; a study's runs are looked for in --runs."""
    first = studied("first", vary={"model.depth": [5, 6]})
    second = studied("second", vary={"model.width": [8]})
    done = zoo_here("compare", first, second, "runs/smoke/gcn", "--format", "csv")
    assert done.code == 0, done.err
    assert [(row["from"], row["model.depth"], row["model.width"], row["recipe"]) for row in rows(done.out)] == [
        (str(first), "5", "–", "–"),
        (str(first), "6", "–", "–"),
        (str(second), "–", "8", "–"),
        ("runs", "–", "–", "smoke/gcn"),
    ]
    (only, _) = rows(zoo_here("compare", first, "--runs", "runs", "--format", "csv").out)
    assert "from" not in only


def test_each_ground_has_a_table_of_its_own(runs, tmp_path, result, zoo_here):
    """Data sets never stand in one table; a baseline counts where it is, and where it is not that is said."""
    for change in ({}, {"model.depth": 6}):
        recipe = load("smoke/res-gcn", {"dataset.nodes": 250, **change})
        for seed in (0, 1):
            result(place(tmp_path / "runs", recipe, api.identity_of(recipe), seed), recipe, seed, test=0.5)
    done = zoo_here("compare", "runs", "--baseline", "smoke/gcn", "--format", "markdown")
    assert done.code == 0, done.err
    first, second = done.out.split("**test accuracy on block-model**")[1:]
    if "smoke/gcn" not in first:
        first, second = second, first
    assert "| smoke/gcn     |" in first and "No differences" not in first
    assert "model.depth" in second and "| smoke/gcn" not in second
    assert "No differences: no run here is recipe=smoke/gcn." in second
    csvs = zoo_here("compare", "runs", "--format", "csv").out.split("\n\n")
    assert len([part for part in csvs if part.strip()]) == 2


@pytest.mark.parametrize("normalizer", ["none", "normalizer=none"])
def test_runs_with_and_without_an_option_pair(normalizer, tmp_path, result, zoo_here):
    """`none` has no c: every bound is compared with it, and every difference is there."""
    for change in ("none", {"name": "frobenius", "c": 0.5}, {"name": "frobenius", "c": 1.0}):
        recipe = load("smoke/res-gcn", {"normalizer": change})
        for seed in range(3):
            test = 0.5 + 0.1 * seed + (change != "none") * 0.2
            result(place(tmp_path / "runs", recipe, api.identity_of(recipe), seed), recipe, seed, test=test)
    done = zoo_here("compare", "runs", "--baseline", normalizer, "--format", "csv")
    found = {row["normalizer"]: row["delta.mean"] for row in rows(done.out)}
    assert set(found) == {"none", "frobenius c=0.5", "frobenius c=1.0"}
    assert [float(found[name]) for name in sorted(found)[:2]] == pytest.approx([0.2, 0.2])


def test_tuned_and_untuned_are_not_mixed(studied, zoo_here):
    """The refusal names both, and how each was chosen."""
    plain = studied("plain", seeds=[5, 6])
    tuned = studied("tuned", tune={"method": "grid", "space": {"optimizer.lr": [0.1, 0.2]}})
    done = zoo_here("compare", plain, tuned)
    assert done.code == 2
    assert "settings by validation, 8 trials (grid)" in done.err
    assert "expected one selection" in done.err
    assert zoo_here("compare", tuned).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["helo"], "is neither a folder nor a study — expected run folders, folders above some, or names from"),
        (["helo"], "did you mean 'hello'"),
        (["."], "no finished run in it or below"),
        (["hello"], "no run below runs is finished — expected some: zoo study run hello"),
        (["cora-gcn"], "is a recipe — expected run folders"),
        (["none.yaml"], "no such study"),
        (["hello", "--quick"], "no quick form"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_a_mistake(words, said, zoo_here):
    """Exit code 2, and no trace."""
    done = zoo_here("compare", *words)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--baseline", "smoke/gc"],
            "no cell has that label — expected one of: smoke/gcn, smoke/res-gcn — did you mean",
        ),
        (["--format", "html"], "no format 'html' — expected one of: rich, markdown, csv, latex"),
        (["--interval", "normal"], "expected t or bootstrap"),
    ],
)
def test_a_wrong_option_is_a_mistake(words, said, runs, zoo_here):
    """With what there is."""
    done = zoo_here("compare", "runs", *words)
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("form", "sign"), [("rich", "┃"), ("markdown", "| ---"), ("csv", "recipe,ground"), ("latex", r"\toprule")]
)
def test_formats(form, sign, runs, zoo_here):
    """Each is on standard output alone."""
    done = zoo_here("compare", "runs", "--format", form)
    assert (done.code, done.err) == (0, "")
    assert sign in done.out


def test_single_runs_and_bootstrap_are_shown_when_asked(runs, zoo_here):
    """`--values` has every figure, `--interval bootstrap` says so below the table."""
    done = zoo_here("compare", "runs", "--values", "--interval", "bootstrap", "--format", "markdown")
    assert "0: 0.700, 1: 0.800, 2: 0.900" in done.out
    assert "by the BCa bootstrap" in done.out


def test_help_says_how(zoo_here):
    """With an example that can be typed."""
    done = zoo_here("compare", "--help")
    assert done.code == 0
    assert "--baseline" in done.out
    assert "zoo compare runs/hello" in done.out
