"""The record of a run: written and read back, and held against what a run writes."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import RunError
from zoo.probes.diagnosis import Diagnosis, NonFinite
from zoo.runs.record import Environment, SplitId, read_record, write_record
from zoo.runs.run import Run
from zoo.runs.run_table import row_of, table_of
from zoo.system.choice import Choice

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def record(a_record):
    """A record with something in every field."""
    environment = Environment(
        zoo="0.2",
        commit="12ab" * 10,
        code="0" * 16,
        versions={"torch": "2.2", "triton": None},
        python="3.11",
        platform="Linux",
        device={"type": "cpu", "cuda": None},
        threads=2,
        variables={"OMP_NUM_THREADS": "2"},
        processes=2,
        resets=("model.depth is the recipe's",),
        choices=(Choice("device", "cpu", "asked for"),),
        plan=("64 blocks in 4 chains of 16",),
        data={"digest": "blake2b:12", "files": {"x": "sha256:34"}},
        split={"name": "random", "sizes": {"train": 3}},
    )
    return a_record(
        changes=("model.depth=3",),
        metric_by="OGB's Evaluator",
        metric_range=(0.0, None),
        higher_is_better=False,
        together=2,
        cuda_graphs="not asked for",
        parameters=12,
        split=SplitId("folds, one of 10", 3, True, "fold"),
        diagnosis=Diagnosis("non-finite", "because", (("a=1", "b=2"), ("c=3",)), 4, evidence={"skill": 0.5}),
        c=0.5,
        c_range=(0.25, 1.5),
        non_finite=NonFinite(3, "output", 4, 64),
        weights="sha256:56",
        environment=environment,
    )


@pytest.fixture(scope="module")
def folder(record, tmp_path_factory) -> Path:
    """A run's folder with that record."""
    made = tmp_path_factory.mktemp("run")
    written = "dataset: {name: cora}\nnormalizer: {name: frobenius, c: auto}\n"
    (made / "recipe.yaml").write_text(written, encoding="utf-8")
    write_record(made, record.environment)
    write_record(made, record)
    return made


def test_what_is_written_is_read_back(folder, record):
    """Every field; the files hold the sentences besides, which are made anew of what is read."""
    assert read_record(folder) == record
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["non_finite"]["sentence"], result["diagnosis"]["sentence"]) == (
        str(record.non_finite),
        str(record.diagnosis),
    )
    assert result["diagnosis"]["try"] == "try a=1 b=2 or c=3"
    assert result["schema_version"] == json.loads((folder / "environment.json").read_text())["schema_version"] == 1


def test_what_is_not_finite_is_none(tmp_path, record):
    """JSON has no word for it."""
    write_record(tmp_path, record.environment)
    write_record(tmp_path, replace(record, val=math.nan, c=math.inf, c_range=(0.5, math.inf)))
    found = read_record(tmp_path)
    assert (found.val, found.c, found.c_range) == (None, None, (0.5, None))


def written(folder: Path, changes: dict[str, object], name: str = "result.json") -> dict[str, object]:
    """Writes one of the files with other values, and returns those that it had."""
    before = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**before, **changes}), encoding="utf-8")
    return before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("val", value) for value in ("0.5", True, [0.5], {}, math.nan, math.inf)),
        *(("seed", value) for value in (-1, 0.5, "0", None, 2**63, True)),
        *(("recipe", value) for value in (5, None, ["x"])),
        *(("status", value) for value in ("done", None)),
        *(("split", value) for value in (None, {}, {"family": 5}, {"family": "x", "number": "3"})),
        *(("gradient_similarity", value) for value in (None, {}, [], {"first_block": "x", "last_block": 1})),
        *(("c_range", value) for value in ([], [1.0], [1, 2, 3], "ab")),
        *(("non_finite", value) for value in ({}, True, {"step": 1, "what": "output", "block": "x"})),
        *(("diagnosis", value) for value in ({}, "healthy", {"verdict": "healthy", "because": 5})),
        *(("higher_is_better", value) for value in (1, "yes", None)),
    ],
)
def test_a_value_of_another_kind_is_refused(folder, key, value):
    """The file and the key are named, so that it is found."""
    before = written(folder, {key: value})
    try:
        with pytest.raises(RunError, match=rf"result.json — ('{key}|cannot be read)"):
            read_record(folder)
    finally:
        written(folder, before)


@pytest.mark.parametrize(("key", "value"), [("threads", "2"), ("choices", [{"what": 3}]), ("versions", [])])
def test_an_environment_of_another_kind_is_refused(folder, key, value):
    """By its own file's name."""
    before = written(folder, {key: value}, "environment.json")
    try:
        with pytest.raises(RunError, match=rf"environment.json — '{key}"):
            read_record(folder)
    finally:
        written(folder, before, "environment.json")


def test_keys_of_later_versions_are_passed_over(folder, record):
    """A file that says more is read as far as it is known."""
    before = written(folder, {"later": [1, {"x": None}]})
    assert read_record(folder) == record
    (folder / "result.json").write_text(json.dumps(before), encoding="utf-8")


@given(st.data())
def test_a_spoiled_result_is_read_or_refused(folder, data):
    """Whatever stands at whichever key: figures, row and table come, or one error that names the file."""
    text = (folder / "result.json").read_text(encoding="utf-8")
    values = copy.deepcopy(json.loads(text))
    for key in data.draw(st.lists(st.sampled_from([*values, "other"]), min_size=1, max_size=3, unique=True)):
        if data.draw(st.booleans()):
            values[key] = data.draw(JSON)
        else:
            values.pop(key, None)
    (folder / "result.json").write_text(json.dumps(values), encoding="utf-8")
    try:
        found = Run(folder)
        assert row_of(found)["recipe"] == values["recipe"]
        table_of([found])
    except RunError as error:
        assert "result.json" in str(error)
    finally:
        (folder / "result.json").write_text(text, encoding="utf-8")


@given(lines=st.lists(st.dictionaries(st.sampled_from(["step", "epoch", "val", "loss"]), JSON), max_size=3))
def test_spoiled_lines_are_read_or_refused(folder, lines):
    """Whatever stands in metrics.jsonl: a table with its rows, or one error that names the file."""
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    try:
        assert len(Run(folder).metrics) == len(lines)
    except RunError as error:
        assert "metrics.jsonl" in str(error)
