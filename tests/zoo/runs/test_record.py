"""Records of a run that are held against what a run writes."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import RunError
from zoo.runs.record import check_result, check_row, parse_json
from zoo.runs.report import row_of, table_of
from zoo.runs.run import Run

RESULT = {
    "recipe": "smoke/res-gcn",
    "identity": "6ee6266ebaee",
    "seed": 0,
    "status": "finished",
    "metric": "accuracy",
    "higher_is_better": True,
    "val": 0.25,
    "test": 0.5,
    "train": None,
    "best_epoch": 3,
    "seconds": 0.5,
    "c": None,
    "gradient_similarity": {"when": "at initialisation", "first_block": 0.1, "last_block": None, "ratio": None},
    "diagnosis": {"verdict": "healthy", "said": "healthy"},
    "c_range": [0.5, 1.5],
    "non_finite": None,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_what_a_run_writes_is_let_pass():
    """A whole result, one of an older version that lacks keys, and one of a later that has more."""
    check_result(RESULT)
    check_result({})
    check_result({**RESULT, "later": [1, {"x": None}]})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("val", value) for value in ("0.5", True, [0.5], {}, math.nan, math.inf)),
        *(("seed", value) for value in (-1, 0.5, "0", None, 2**63, True)),
        *(("recipe", value) for value in (5, None, ["x"])),
        *(("gradient_similarity", value) for value in (None, {}, [], {"first_block": "x", "last_block": 1})),
        *(("c_range", value) for value in ([], [1.0], [1, 2, 3], "ab")),
        *(("non_finite", value) for value in ({}, True, {"block": "x", "said": "y"})),
        *(("diagnosis", value) for value in ({}, "healthy", {"said": 5})),
        *(("higher_is_better", value) for value in (1, "yes", None)),
    ],
)
def test_a_known_key_with_a_value_of_another_kind_is_refused(key, value):
    """The key is named, so that it is found in the file."""
    with pytest.raises(ValueError, match=key):
        check_result({**RESULT, key: value})


@pytest.mark.parametrize(
    "row", [None, [], 5, {"a": "x"}, {"a": [["x"]]}, {"a": {"b": 1}}, {"a": math.nan}, {"step": 0.5}]
)
def test_a_line_holds_numbers_and_lists_of_them(row):
    """Text, objects, lists in lists and what is not finite have no place in it."""
    with pytest.raises(ValueError, match=r"expected|without"):
        check_row(row, "step")


def test_a_line_of_a_run_is_let_pass():
    """Numbers, lists with one for each block, null for what is not finite."""
    check_row({"step": 1, "epoch": 1, "loss": 0.5, "val": None, "weights.c": [0.5, None]}, "step", "epoch")


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "-Infinity", "[" * 100_000, "9" * 5000, "", "{", '{"a": 1', "\ufeff{}"],
    ids=lambda text: text[:9],
)
def test_what_is_no_json_is_a_value_error(text):
    """So is what Python's parser would let pass, or go down with."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run's folder, with what is not spoiled in it."""
    made = tmp_path_factory.mktemp("run")
    written = "dataset: {name: cora}\nnormalizer: {name: frobenius, c: auto}\n"
    (made / "recipe.yaml").write_text(written, encoding="utf-8")
    (made / "result.json").write_text(json.dumps(RESULT), encoding="utf-8")
    return made


@given(st.data())
def test_a_spoiled_result_is_read_or_refused(folder, data):
    """Whatever stands at whichever key: figures, row and table come, or one error that names the file."""
    values = copy.deepcopy(RESULT)
    for key in data.draw(st.lists(st.sampled_from([*RESULT, "other"]), min_size=1, max_size=3, unique=True)):
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


@given(lines=st.lists(st.dictionaries(st.sampled_from(["step", "epoch", "val", "loss"]), JSON), max_size=3))
def test_spoiled_lines_are_read_or_refused(folder, lines):
    """Whatever stands in metrics.jsonl: a table with its rows, or one error that names the file."""
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    try:
        assert len(Run(folder).metrics) == len(lines)
    except RunError as error:
        assert "metrics.jsonl" in str(error)
