"""Runs that were trained together are the runs that they are alone."""

import json

import pandas as pd
import pytest

import zoo
from zoo import together
from zoo.errors import RecipeError, TrainingError

TINY = ["probes=none"]


def test_runs_are_those_of_their_seeds(tmp_path):
    """Same folders, records and figures as by `train`, but for the order of sums; the record says what was done."""
    runs = zoo.train_together("smoke/res-gcn", TINY, seeds=range(3), runs=tmp_path / "together")
    for seed, run in enumerate(runs):
        alone = zoo.train("smoke/res-gcn", TINY, seed=seed, runs=tmp_path / "alone")
        assert run.path.relative_to(tmp_path / "together") == alone.path.relative_to(tmp_path / "alone")
        assert {file.name for file in run.path.iterdir()} == {file.name for file in alone.path.iterdir()}
        columns = [column for column in alone.metrics.columns if column != "seconds"]
        pd.testing.assert_frame_equal(run.metrics[columns], alone.metrics[columns], rtol=1e-4)
        assert run.result.keys() == alone.result.keys()
        for name in ("status", "best_epoch", "steps", "parameters", "identity", "seed"):
            assert run.result[name] == alone.result[name]
        assert run.test == pytest.approx(alone.test, abs=0.03)
        assert (run.result["together"], alone.result["together"]) == (3, 1)
        said = json.loads((run.path / "environment.json").read_text())["choices"]
        assert [choice["chosen"] for choice in said if choice["what"] == "together"] == ["3"]


def test_values_of_c_are_members_too(tmp_path):
    """Every combination with every seed, in order, each with the identity of its recipe."""
    c = [0.25, 1.0]
    runs = zoo.train_together("smoke/res-gcn", TINY, seeds=[0, 1], grid={"normalizer.c": c}, runs=tmp_path)
    wanted = [
        zoo.train("smoke/res-gcn", [*TINY, f"normalizer.c={each}"], seed=seed, runs=tmp_path / "alone")
        for each in c
        for seed in (0, 1)
    ]
    for run, alone in zip(runs, wanted, strict=True):
        assert run.result["identity"] == alone.result["identity"]
        assert run.metrics["loss"].tolist() == pytest.approx(alone.metrics["loss"].tolist(), rel=1e-4)
        assert run.result["c_range"] == alone.result["c_range"]


def test_the_network_of_a_run_can_be_loaded(tmp_path):
    """Weights on disk are one member's own."""
    run = zoo.train_together("smoke/res-gcn", TINY, seeds=[4, 5], runs=tmp_path)[1]
    assert zoo.evaluate(run.path).score == pytest.approx(run.test)


def test_what_is_finished_is_not_trained_again(tmp_path):
    """Only the seeds that are missing are trained; `again` moves aside and trains all."""
    zoo.train("smoke/res-gcn", TINY, seed=1, runs=tmp_path)
    stamp = next(tmp_path.rglob("seed-1/result.json")).stat().st_mtime_ns
    runs = zoo.train_together("smoke/res-gcn", TINY, seeds=[0, 1, 2], runs=tmp_path)
    assert [run.seed for run in runs] == [0, 1, 2]
    assert (runs[1].path / "result.json").stat().st_mtime_ns == stamp
    zoo.train_together("smoke/res-gcn", TINY, seeds=[0, 1], runs=tmp_path, again=True)
    assert (runs[1].path / "result.json").stat().st_mtime_ns > stamp
    assert len(list(tmp_path.rglob("seed-*.previous-1"))) == 2


@pytest.mark.parametrize(
    ("overrides", "way_out"),
    [
        (["probes=quick"], "probes=none"),
        (["normalizer=frobenius", "normalizer.c=adaptive"], "normalizer.c=auto"),
        (["normalizer=frobenius", "normalizer.mode=project"], "normalizer.mode=reparametrize"),
        (["regularizer=drop-edge"], "regularizer=none"),
        (["training.memory=checkpoint"], "training.memory=full"),
        (["task.sampler=neighbor"], "sampler=full"),
    ],
)
def test_what_cannot_be_trained_together_is_refused_with_a_way_out(tmp_path, overrides, way_out):
    """Before anything is written."""
    with pytest.raises(TrainingError, match=way_out) as refused:
        zoo.train_together("smoke/res-gcn", [*TINY, *overrides], seeds=[0, 1], runs=tmp_path)
    assert "--together" in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_all_reasons_come_at_once(tmp_path):
    """Whoever mends one learns of the others."""
    with pytest.raises(TrainingError) as refused:
        zoo.train_together("smoke/res-gcn", ["probes=quick", "regularizer=drop-edge"], seeds=[0, 1], runs=tmp_path)
    assert "probes=none" in str(refused.value) and "regularizer=none" in str(refused.value)


@pytest.mark.parametrize("path", ["optimizer.lr", "model.depth"])
def test_a_grid_is_of_c_alone(tmp_path, path):
    """What else differs would need steps of its own."""
    with pytest.raises(RecipeError, match="not a c"):
        zoo.train_together("smoke/res-gcn", TINY, grid={path: [1, 2]}, runs=tmp_path)


@pytest.mark.parametrize("recipe", ["smoke/graphs", "smoke/links"])
def test_other_tasks_are_refused(tmp_path, recipe):
    """Batches of graphs, and graphs less their split's links, differ from member to member."""
    with pytest.raises(TrainingError, match="one and the same graph"):
        zoo.train_together(recipe, TINY, seeds=[0, 1], runs=tmp_path)


def test_a_run_that_another_process_finishes_meanwhile(tmp_path, monkeypatch):
    """What was finished while the members were built is left as it is, and the others are trained."""
    build, calls = together.build_ready, []

    def build_late(recipe, seed):
        calls.append(seed)
        if len(calls) == 2:  # another process
            zoo.train("smoke/res-gcn", ["probes=none"], runs=tmp_path, seed=0)
        return build(recipe, seed)

    monkeypatch.setattr(together, "build_ready", build_late)
    found = zoo.train_together("smoke/res-gcn", ["probes=none"], seeds=[0, 1], runs=tmp_path)
    assert [run.seed for run in found] == [0, 1] and calls == [0, 1, 1]
    assert sorted(path.name for path in found[0].path.parent.glob("seed-*")) == ["seed-0", "seed-1"]


def test_one_seed_and_one_value_need_no_list(tmp_path):
    """A scalar is a list of one, in the grid as well."""
    (run,) = zoo.train_together("smoke/res-gcn", TINY, seeds=1, grid={"normalizer.c": 0.5}, runs=tmp_path)
    assert (run.seed, run.normalizers[0]["c"]) == (1, 0.5)
