"""Values in messages: short, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from zoo.recipe.shown import shown


def test_short_values_are_as_python_writes_them():
    """What fits is shown as it is, so that it is found again in the file."""
    for value in ("relu", 0.5, None, ["a", 1], {"name": "gcn"}):
        assert shown(value) == repr(value)


def test_long_and_deep_values_are_cut():
    """A text of a million letters, a list of as many, and a deep one come out short; a huge number in words."""
    deep = []
    for _ in range(900):
        deep = [deep]
    for value in ("x" * 10**6, list(range(10**6)), deep, 10**100):
        assert len(shown(value)) < 300
    assert shown(10**5000) == "a int of very many digits"


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_plain_value_is_shown_on_one_short_line(value):
    """Nothing that YAML can hold breaks the line of a message or floods it."""
    assert "\n" not in shown(value)
    assert len(shown(value)) < 20_000
