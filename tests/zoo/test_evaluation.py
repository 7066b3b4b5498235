"""A finished run scored again: against scikit-learn, and against what the run recorded."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, roc_auc_score

import zoo
from zoo.datasets.base import Official
from zoo.datasets.synthetic import block_model
from zoo.errors import RunError
from zoo.runs.folder import RESULT
from zoo.runs.predictions import read_predictions
from zoo.runs.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return zoo.train("smoke/res-gcn", runs=tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_file_gives_the_figure_by_another_program(part, run, tmp_path):
    """scikit-learn finds the recorded figure in the arrays of the file alone."""
    found = zoo.evaluate(run, part)
    found.save(tmp_path / "p.npz")
    arrays = read_predictions(tmp_path / "p.npz")
    figure = accuracy_score(arrays["label"], arrays["output"].argmax(axis=1))
    assert figure == float(arrays["metric_value"]) == found.score == run.result[part]
    assert found.agrees and found.difference == 0
    assert [str(arrays[key]) for key in ("part", "metric", "metric_by")] == [part, "accuracy", "zoo"]
    assert (str(arrays["recipe"]), int(arrays["seed"])) == ("smoke/res-gcn", 0)


def test_the_nodes_are_those_of_the_part(run):
    """Numbers and labels are the split's and the data set's, and parts do not overlap."""
    built = zoo.build(run.path / "recipe.yaml")
    seen: list[int] = []
    for part in ("train", "val", "test"):
        arrays = zoo.evaluate(run, part).arrays
        assert np.array_equal(arrays["node"], getattr(built.split, part).numpy())
        assert np.array_equal(arrays["label"], built.data.labels.numpy()[arrays["node"]])
        seen += arrays["node"].tolist()
    assert len(set(seen)) == len(seen) == 200


def test_several_binary_labels(tmp_path):
    """The mean ROC-AUC over labels, by scikit-learn from the arrays."""
    run = zoo.train("smoke/multi-label", runs=tmp_path)
    found = zoo.evaluate(run.path)
    output, label = found.arrays["output"], found.arrays["label"]
    areas = []
    for scores, truth in zip(output.T, label.T, strict=True):
        known = ~np.isnan(truth)
        areas.append(roc_auc_score(truth[known], scores[known]))
    assert found.metric == "rocauc"
    assert found.score == pytest.approx(np.mean(areas), abs=1e-12) == run.test


def test_links_by_another_program(tmp_path):
    """scikit-learn's area from scores and labels of the file; the pairs that are labelled 1 are the split's links."""
    run = zoo.train("smoke/links", runs=tmp_path)
    found = zoo.evaluate(run)
    assert found.metric == "auc"
    assert roc_auc_score(found.arrays["label"], found.arrays["score"]) == pytest.approx(found.score, abs=1e-9)
    assert found.score == pytest.approx(run.test, abs=1e-9)
    there = found.arrays["label"] == 1
    pairs = np.stack([found.arrays["source"][there], found.arrays["target"][there]])
    assert np.array_equal(pairs, zoo.build(run.path / "recipe.yaml").split.test.numpy())


def test_graphs_by_another_program(tmp_path):
    """Accuracy of families, and the root mean square error of triangle counts, from the arrays alone."""
    found = zoo.evaluate(run := zoo.train("smoke/graphs", runs=tmp_path))
    assert accuracy_score(found.arrays["label"], found.arrays["output"].argmax(axis=1)) == found.score == run.test
    found = zoo.evaluate(run := zoo.train("smoke/graph-regression", runs=tmp_path))
    error = np.sqrt(np.mean((found.arrays["label"] - found.arrays["output"]).astype(np.float64) ** 2))
    assert found.metric == "rmse"
    assert error == pytest.approx(found.score, rel=1e-6) == run.test
    assert zoo.build(run.path / "recipe.yaml").split.test.tolist() == found.arrays["graph"].tolist()


def test_a_network_trained_in_half_precision_is_scored_so(tmp_path):
    """Else its figure would not be the recorded one."""
    assert zoo.evaluate(zoo.train("smoke/bf16", runs=tmp_path)).agrees


def test_the_authors_code_is_named(tmp_path, monkeypatch):
    """With an official scoring it is that which is called, and the record says by whom."""
    asked = []

    def score(outputs, labels):
        asked.append(len(labels))
        return 0.125

    def official(store):
        data = block_model(store, nodes=60, classes=3, features=8)
        return type(data)(**{**vars(data), "official": Official("accuracy", True, "Their Evaluator", score)})

    from registry import datasets

    datasets.register("theirs")(official)
    run = zoo.train("smoke/gcn", {"dataset": "theirs"}, runs=tmp_path)
    asked.clear()
    found = zoo.evaluate(run)
    assert (found.by, found.score, asked) == ("Their Evaluator", 0.125, [12])
    assert found.agrees


def test_a_figure_that_was_changed_is_noticed(run, tmp_path):
    """By how much; a figure where none was recorded does not agree, and none agrees with none."""
    found = zoo.evaluate(run)
    off = type(found)(**{**vars(found), "recorded": found.score - 0.25})
    assert off.difference == pytest.approx(0.25) and not off.agrees
    none = type(found)(**{**vars(found), "recorded": None})
    assert math.isnan(none.difference) and not none.agrees
    never = Run(run.path)
    never.record = replace(run.record, val=None)
    assert type(found)(**{**vars(none), "run": never}).agrees
    neither = type(found)(**{**vars(found), "recorded": None, "score": math.nan})
    assert neither.difference == 0 and neither.agrees
    close = type(found)(**{**vars(found), "recorded": found.score * (1 + 1e-6)})
    assert close.agrees


def test_the_folder_is_only_read_and_threads_stay(run):
    """Nothing is written before `save`, then one file of the part's name."""
    threads = torch.get_num_threads()
    before = {path.name: path.stat().st_mtime_ns for path in run.path.iterdir()}
    found = zoo.evaluate(run, "val")
    assert {path.name: path.stat().st_mtime_ns for path in run.path.iterdir()} == before
    assert torch.get_num_threads() == threads
    assert found.save() is None
    assert {path.name for path in run.path.iterdir()} - set(before) == {"predictions-val.npz"}
    assert json.loads((run.path / RESULT).read_text())["val"] == found.score


def test_another_part_is_a_mistake(run, tmp_path):
    """With those that there are; so is a folder without a run."""
    with pytest.raises(RunError, match=r"no part 'valid' — expected one of: train, val, test"):
        zoo.evaluate(run, "valid")
    with pytest.raises(RunError, match=r"there is no run in it"):
        zoo.evaluate(tmp_path)


def test_ogbs_evaluator_scores_ogbs_data(zoo_data, tmp_path):
    """Its figure, under its name, is the root mean square error of the arrays on the real test molecules."""
    changes = {"dataset": "ogbg-molesol", "split": "default", "prepare.edge_features": "drop"}
    run = zoo.train("smoke/graphs", {**changes, "training.duration": "1 epochs"}, runs=tmp_path)
    found = zoo.evaluate(run)
    assert (found.metric, found.by, found.arrays["label"].shape) == ("rmse", "OGB's Evaluator", (113, 1))
    error = np.sqrt(np.mean((found.arrays["label"] - found.arrays["output"]).astype(np.float64) ** 2))
    assert error == pytest.approx(found.score, rel=1e-5) == run.test
