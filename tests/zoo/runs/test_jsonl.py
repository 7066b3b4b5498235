"""JSON of a run folder: what is let pass, and what is refused."""

import math

import pytest

from zoo.runs.jsonl import check_row, parse_json


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
