"""`zoo evaluate`: figures from saved weights, prediction files, and an exit code that says whether they agree."""

import json

import numpy as np
import pytest

from zoo import api
from zoo.runs.folder import RESULT


@pytest.fixture
def run(tmp_path):
    return api.train("smoke/res-gcn", {"training.duration": "2 epochs"}, runs=tmp_path / "runs")


def test_a_run_is_scored_and_its_predictions_are_written(run, zoo_here):
    """A list with one object: the recorded figure again, and a file that holds it."""
    done = zoo_here("evaluate", run.path, "--json")
    assert done.code == 0, done.err
    (said,) = json.loads(done.out)
    assert (said["score"], said["recorded"], said["agrees"], said["by"]) == (run.test, run.test, True, "zoo")
    with np.load(said["predictions"], allow_pickle=False) as found:
        assert float(found["metric_value"]) == run.test
    assert said["predictions"] == str(run.path / "predictions-test.npz")


def test_folders_above_runs_make_a_table(run, tmp_path, zoo_here):
    """A row for each run below, also of another part; a second time there is nothing to move aside."""
    api.train("smoke/res-gcn", {"training.duration": "2 epochs"}, seed=1, runs=tmp_path / "runs")
    first, second = (zoo_here("evaluate", "runs", "--split", "val") for _ in range(2))
    for done in (first, second):
        assert (done.code, done.out.count("equal"), done.out.count("predictions-val.npz")) == (0, 2, 2)
    assert "now" not in second.out


def test_a_changed_figure_ends_with_1_and_the_difference(run, zoo_here):
    """Predictions are written all the same, and an older file keeps its content beside them."""
    (run.path / RESULT).write_text(json.dumps({**run.result, "test": run.test - 0.5}))
    (run.path / "predictions-test.npz").write_bytes(b"mine")
    done = zoo_here("evaluate", run.path)
    assert done.code == 1
    assert "differs by +0.5" in done.out
    assert "predictions-test.previous-1.npz" in done.out
    assert (run.path / "predictions-test.previous-1.npz").read_bytes() == b"mine"


def test_one_run_that_cannot_be_scored_keeps_no_other(run, tmp_path, zoo_here):
    """It is named with the reason, the others are scored, and the exit code is 1; by itself it is an error as ever."""
    other = api.train("smoke/res-gcn", {"training.duration": "2 epochs"}, seed=1, runs=tmp_path / "runs")
    (other.path / "plugins").mkdir()
    (other.path / "plugins" / "mine.py").write_text("")
    recipe = other.path / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("plugins: []", "plugins: [plugins/mine.py]"))
    done = zoo_here("evaluate", "runs", "--json")
    assert done.code == 1
    assert [row["run"] for row in json.loads(done.out)] == [str(run.path.relative_to(tmp_path))]
    assert done.err.startswith(f"left out: {other.path.relative_to(tmp_path)}: ")
    assert "mine.py — expected --allow-plugins" in done.err
    alone = zoo_here("evaluate", other.path)
    assert (alone.code, alone.out) == (2, "")
    recipe.write_text("[")
    (other.path / RESULT).write_text("{}")
    for verb in ("compare", "plot"):
        done = zoo_here(verb, "runs")
        assert (done.code, done.err.count("left out: ")) == (1, 1), done.err
        assert done.out


def test_output_goes_where_it_is_asked(run, tmp_path, zoo_here):
    """A CSV of one run, and nothing in the run's folder."""
    assert zoo_here("evaluate", run.path, "--format", "csv", "--output", "mine.csv").code == 0
    assert (tmp_path / "mine.csv").read_text().startswith("node,output.0,")
    assert not list(run.path.glob("predictions*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none"], "no finished run in it or below"),
        (["runs", "--split", "valid"], "no part 'valid' — expected one of: train, val, test"),
        (["runs", "--format", "xls"], "expected npz or csv"),
    ],
)
def test_mistakes_are_said(words, said, run, zoo_here):
    """Exit code 2 and one sentence."""
    done = zoo_here("evaluate", *words)
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())


def test_one_file_is_for_one_run(run, tmp_path, zoo_here):
    """Two runs cannot share it."""
    api.train("smoke/res-gcn", {"training.duration": "2 epochs"}, seed=1, runs=tmp_path / "runs")
    done = zoo_here("evaluate", "runs", "--output", "p.npz")
    assert (done.code, "2 runs were found — expected one run for one file" in done.err) == (2, True)
