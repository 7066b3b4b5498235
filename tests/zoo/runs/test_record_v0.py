"""Runs of version 0.1.0: a folder as it wrote them, and records of its earlier days."""

import json
import shutil
from pathlib import Path

import pytest

import zoo
from zoo.runs.record import SplitId, read_record
from zoo.runs.record_v0 import upgraded
from zoo.runs.run import Run
from zoo.runs.run_table import row_of, table_of

FOLDER = Path(__file__).with_name("version-0.1.0")  # what `zoo train smoke/shared` left at commit 37709e6
RANDOM = "random, train 0.6, val 0.2, the rest test"


@pytest.fixture
def old(tmp_path) -> Run:
    """A copy of the folder."""
    return Run(shutil.copytree(FOLDER, tmp_path / "run"))


def test_an_old_folder_is_read(old):
    """Every field has what the files say; the split is that of the environment."""
    record, result = old.record, json.loads((FOLDER / "result.json").read_text(encoding="utf-8"))
    for key in ("recipe", "identity", "seed", "status", "metric", "val", "test", "train", "best_epoch", "steps", "c"):
        assert getattr(record, key) == result[key], key
    assert record.metric_range == (0.0, 1.0)
    assert record.metric_by is None
    assert record.split == SplitId(RANDOM, 0, False, "seed")
    assert str(record.diagnosis) == result["diagnosis"]["said"]
    assert record.environment.versions["torch"].startswith("2.")
    assert [choice.what for choice in record.environment.choices][:3] == ["device", "kernel", "threads"]
    assert record.data_digest == old.environment["data"]["digest"]
    assert old.other_code == "other code, commit 37709e6539"


def test_an_old_run_is_shown_evaluated_loaded_and_probed(old):
    """Its weights give the figure that it recorded."""
    assert row_of(old)["diagnosis"]["sentence"] == old.result["diagnosis"]["said"]
    assert table_of([old]).row_count == 1
    assert zoo.evaluate(old).agrees
    assert not zoo.load(old).training
    assert zoo.probe_run(old, "quick")["gradients.mu.plain"].shape == (len(zoo.load(old).blocks),)


@pytest.mark.parametrize(
    ("facts", "component", "expected"),
    [
        (
            {"name": "random", "rule": RANDOM, "seed": 4},
            {"name": "random", "train": 0.6, "seed": None},
            SplitId(RANDOM, None, False, "seed"),
        ),
        (
            {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10, from the run's seed", "index": 3},
            {"name": "default"},
            SplitId("geom-gcn, one of 10"),
        ),
        (
            {"name": "geom-gcn", "rule": "geom-gcn, number 3 of 10", "index": 3},
            {"name": "geom-gcn", "index": 3},
            SplitId("geom-gcn, one of 10", 3, True, "index"),
        ),
        (
            {"name": "folds", "rule": "fold 3 of 10 tests, from the run's seed; the next validates", "seed": 0},
            {"name": "folds", "folds": 10, "fold": None, "seed": 0},
            SplitId("folds, one of 10, dealt with seed 0; the next validates", None, False, "fold"),
        ),
        (
            {"name": "folds", "rule": "fold 3 of 10 tests; the next validates", "seed": 0},
            {"name": "folds", "folds": 10, "fold": 3, "seed": 0},
            SplitId("folds, one of 10, dealt with seed 0; the next validates", 3, True, "fold"),
        ),
        ({"name": "mine", "rule": "by year"}, {"name": "mine"}, SplitId("mine, by year")),
        (None, {"name": "random", "train": 0.5, "seed": 2}, SplitId("random train=0.5", 2, True, "seed")),
        (
            {"name": "folds", "family": "folds, one of 10", "number": 3, "fixed": True, "option": "fold"},
            {"name": "other", "seed": 7},
            SplitId("folds, one of 10", 3, True, "fold"),
        ),
    ],
)
def test_splits_from_before_there_were_fields(facts, component, expected):
    """The number is the recipe's, the family what the rule says without it; without any record, the recipe alone."""
    assert SplitId(**upgraded({}, {"split": facts}, {"split": component})["split"]) == expected


def test_figures_from_before_the_range_and_the_direction_were_noted(old):
    """The range is that of the metric of the name, None at an end that has none; unknown metrics have no ends."""
    for metric, expected in {"accuracy": (0.0, 1.0), "mae": (0.0, None), "mine": (None, None)}.items():
        values = {key: value for key, value in old.result.items() if key not in ("metric_range", "higher_is_better")}
        (old.path / "result.json").write_text(json.dumps({**values, "metric": metric}), encoding="utf-8")
        record = read_record(old.path)
        assert (record.metric_range, record.higher_is_better) == (expected, True)
