"""One thing where several may stand."""

from pathlib import Path

import pytest

from zoo.recipe.several import several


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
    assert several(given) == found
