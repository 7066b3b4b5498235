"""The helper that splits a width over heads."""

import pytest

from zoo.errors import BuildError
from zoo.layers.conv import head_width


def test_the_width_is_split_evenly():
    """The heads together are as wide as asked."""
    assert [head_width(64, heads) for heads in (1, 8, 64)] == [64, 8, 1]


def test_the_nearest_divisors_are_named():
    """The error names the two divisors nearest to the number asked for, and the option."""
    with pytest.raises(BuildError, match=r"conv\.num_heads.*nearest: 1 or 7"):
        head_width(7, 3, "num_heads")
