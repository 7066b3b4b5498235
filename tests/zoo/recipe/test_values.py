"""Values in messages: short, whatever they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.recipe.values import as_list, flat, in_words, short_repr


def test_short_values_are_as_python_writes_them():
    """What fits is shown as it is, so that it is found again in the file."""
    for value in ("relu", 0.5, None, ["a", 1], {"name": "gcn"}):
        assert short_repr(value) == repr(value)


def test_long_and_deep_values_are_cut():
    """A text of a million letters, a list of as many, and a deep one come out short; a huge number in words."""
    deep = []
    for _ in range(900):
        deep = [deep]
    for value in ("x" * 10**6, list(range(10**6)), deep, 10**100):
        assert len(short_repr(value)) < 300
    assert short_repr(10**5000) == "a int of very many digits"


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_plain_value_is_shown_on_one_short_line(value):
    """Nothing that YAML can hold breaks the line of a message or floods it."""
    assert "\n" not in short_repr(value)
    assert len(short_repr(value)) < 20_000


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a=b", ["a=b"]),
        (Path("mine.py"), [Path("mine.py")]),
        (3, [3]),
        (None, []),
        ((), []),
        (["a", "b"], ["a", "b"]),
        (range(3), [0, 1, 2]),
    ],
)
def test_one_is_a_list_of_one(given, found):
    """A text is not taken apart into letters, and what is a list stays one."""
    assert as_list(given) == found


def test_every_value_has_its_path():
    """A component's name stands at its own path, a list of components in one line and by place; YAML's words."""
    tree = {"a": {"name": "x", "b": None, "c": {"d": True}}, "e": [{"name": "y", "f": 1}, "z"], "g": [1, 2], "h": {}}
    assert dict(flat(tree)) == {
        "a": "x",
        "a.b": "null",
        "a.c.d": "true",
        "e": "y + z",
        "e.0": "y",
        "e.0.f": "1",
        "e.1": "z",
        "g": "[1, 2]",
        "h": "{}",
    }


def test_a_component_in_words():
    """Its name and options; one without options is its name."""
    assert in_words({"name": "block-model", "nodes": 200, "edges": {"inside": 3}}) == (
        "block-model nodes=200 edges.inside=3"
    )
    assert in_words({"name": "karate"}) == "karate"
