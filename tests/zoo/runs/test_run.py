"""Reading a run back, and saying what is wrong where it cannot be read."""

import json
import math

import pytest

from zoo.errors import RunError
from zoo.runs.folder import RESULT
from zoo.runs.run import Run, find


def test_a_run_reads_back(finished):
    """Result, metrics, environment and normalisers are what was written; NaN is missing."""
    run = finished(seed=3, status="stopped early")
    assert (run.metric, run.val, run.test, run.seed, run.status) == ("accuracy", 0.75, 0.5, 3, "stopped early")
    assert run.environment["zoo"] == run.record.environment.zoo == "0"
    assert list(run.metrics["epoch"]) == [1, 2]
    assert run.metrics["val"][0] == 0.75
    assert math.isnan(run.metrics["val"][1])
    assert run.normalizers == [{"name": "frobenius", "c": 0.5, "mode": "reparametrize", "heads": "each"}]
    assert str(run.path) in repr(run)
    assert "smoke/res-gcn seed 3" in repr(run)


def test_several_normalisers_are_a_list(finished):
    """A recipe with a list gives them in its order."""
    run = finished({"normalizer": ["layer", {"name": "frobenius", "c": 2}]})
    assert [component["name"] for component in run.normalizers] == ["layer", "frobenius"]


def test_a_folder_without_a_run(tmp_path):
    """Empty or absent: there is no run in it."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunError, match=r"there is no run in it — expected a folder with result.json$"):
            Run(path)


def test_an_unfinished_run_is_told_from_none(finished):
    """With a recipe but without a result it was broken off."""
    run = finished()
    (run.path / "result.json").unlink()
    with pytest.raises(RunError, match="the run in it is not finished"):
        Run(run.path)


def test_finished_runs_below_are_named(finished, tmp_path):
    """Whoever gives the folder above is told up to three runs that are there."""
    paths = sorted(str(finished(seed=seed).path) for seed in range(5))
    with pytest.raises(RunError) as caught:
        Run(tmp_path)
    assert f"finished runs below it: {', '.join(paths[:3])}" in str(caught.value)
    assert paths[3] not in str(caught.value)


BROKEN = [b"", b'{"val": 0.7', b"\xff\xfe\x00", None]


@pytest.mark.parametrize("content", [*BROKEN, b"[1, 2]"], ids=["empty", "cut off", "no text", "missing", "no object"])
@pytest.mark.parametrize("file", ["result.json", "environment.json"])
def test_a_json_file_that_cannot_be_read(finished, file, content):
    """Each kind of damage is an error that names the file."""
    run = finished()
    (run.path / file).unlink()
    if content is not None:
        (run.path / file).write_bytes(content)
    with pytest.raises(RunError, match=file):
        _ = run.result if file == "result.json" else run.environment


@pytest.mark.parametrize("content", [*BROKEN[1:], b"3\n"], ids=["cut off", "no text", "missing", "no object"])
def test_metrics_that_cannot_be_read(finished, content):
    """A damaged or missing metrics.jsonl is an error that names it."""
    run = finished()
    (run.path / "metrics.jsonl").unlink()
    if content is not None:
        (run.path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics.jsonl — cannot be read: .* — expected one JSON object a line"):
        _ = run.metrics


def test_no_metrics_are_no_rows(finished):
    """A run that ended before its first validation has an empty table, not an error."""
    run = finished()
    (run.path / "metrics.jsonl").write_text("")
    assert len(run.metrics) == 0


def test_probes_read_back(finished):
    """One entry for each measured step, in order; lists, numbers and null as they were written."""
    run = finished()
    line = '{"step": 0, "epoch": 0, "gradients.mu.plain": [0.5, null], "expansion_rate.plain": null}'
    (run.path / "probes.jsonl").write_text(f'{line}\n{{"step": 4, "epoch": 1}}\n')
    assert run.probes == [
        {"step": 0, "epoch": 0, "gradients.mu.plain": [0.5, None], "expansion_rate.plain": None},
        {"step": 4, "epoch": 1},
    ]


def test_a_run_without_probes_has_none(finished):
    """A missing file, as of a run that measured nothing, is an empty list and no error."""
    assert finished().probes == []


@pytest.mark.parametrize(
    "content",
    [*BROKEN[1:3], b"3\n", b'{"epoch": 1}\n', b'{"step": 1, "epoch": "1"}\n'],
    ids=["cut off", "no text", "no object", "no step", "no number"],
)
def test_probes_that_cannot_be_read(finished, content):
    """A damaged probes.jsonl is an error that names it, also where a line does not say when it was measured."""
    run = finished()
    (run.path / "probes.jsonl").write_bytes(content)
    with pytest.raises(RunError, match=r"probes.jsonl — cannot be read: .* — expected one JSON object a line"):
        _ = run.probes


@pytest.mark.parametrize(
    "content",
    [b"normalizer: [", b"- a list\n", b"\xff\xfe\x00", None, b"model: gcn\n", b"normalizer: frobenius\n"],
    ids=["no YAML", "no mapping", "no text", "missing", "no normalizer", "edited by hand"],
)
def test_a_recipe_that_cannot_be_read(finished, content):
    """A damaged, missing or edited recipe.yaml is a run's error, and names the file."""
    run = finished()
    (run.path / "recipe.yaml").unlink()
    if content is not None:
        (run.path / "recipe.yaml").write_bytes(content)
    with pytest.raises(RunError, match=r"recipe.yaml[\s\S]* — expected the recipe that the run wrote"):
        _ = run.normalizers


def test_weights_are_held_against_their_digest(finished):
    """One bit of the weights the other way round is an error that names the file; the weights as written are not."""
    run = finished()
    assert run.weights.read_bytes()
    data = bytearray(run.weights.read_bytes())
    data[-1] ^= 1
    run.weights.write_bytes(data)
    with pytest.raises(RunError, match=r"model.safetensors — has changed: digest sha256:\w+ — expected sha256:"):
        _ = Run(run.path).weights


def test_weights_without_a_digest_are_taken_as_they_are(finished):
    """Runs of versions that noted none can still be opened; without the file they cannot."""
    run = finished()
    values = json.loads((run.path / "result.json").read_text(encoding="utf-8"))
    del values["weights"]
    (run.path / "result.json").write_text(json.dumps(values), encoding="utf-8")
    file = Run(run.path).weights
    file.unlink()
    with pytest.raises(RunError, match=r"model.safetensors — cannot be read: No such file"):
        _ = Run(run.path).weights


def test_a_result_without_a_key_says_so_when_it_is_asked_for(finished):
    """What reads the key gets an error that names the file and the key, and not a KeyError."""
    run = finished()
    values = {key: value for key, value in run.result.items() if key != "seed"}
    (run.path / "result.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(RunError, match=r"result.json — 'seed': missing — expected a value, as the run wrote it"):
        _ = Run(run.path).seed


def test_lines_in_another_order_are_refused(finished):
    """A table of validations whose steps go down would draw and say something else than what happened."""
    run = finished()
    file = run.path / "metrics.jsonl"
    file.write_text("".join(f'{{"epoch": {step}, "step": {step}}}\n' for step in (2, 1)), encoding="utf-8")
    with pytest.raises(RunError, match=r"metrics.jsonl — cannot be read: its lines are not in the order of step"):
        _ = Run(run.path).metrics


@pytest.fixture
def runs(tmp_path):
    """Folders with a result at a/seed-2, a/seed-10, a/seed-2.previous-1; b/seed-0 has none."""
    for name in ("a/seed-10", "a/seed-2", "a/seed-2.previous-1", "b/seed-0"):
        (tmp_path / name).mkdir(parents=True)
        if name != "b/seed-0":
            (tmp_path / name / RESULT).write_text("{}")
    return tmp_path


def test_runs_below_come_in_the_order_of_their_numbers(runs):
    """Seed 2 before seed 10; unfinished runs and those that were moved aside are passed over."""
    assert list(find([runs], "compare")) == [runs / "a/seed-2", runs / "a/seed-10"]


def test_each_run_comes_once_and_one_named_itself_counts(runs):
    """However often a folder is named; a run that was moved aside is found by its own name."""
    asked = [runs / "a/seed-10", runs / "a", runs / "a/../a/seed-2", runs / "a/seed-2.previous-1"]
    assert [path.name for path in find(asked, "compare")] == ["seed-10", "seed-2", "seed-2.previous-1"]


def test_nothing_found_is_a_mistake(runs):
    """The message has the verb and the folder."""
    with pytest.raises(RunError, match=r"^evaluate .*b — no finished run in it or below — expected run folders"):
        list(find([runs / "a", runs / "b"], "evaluate"))
