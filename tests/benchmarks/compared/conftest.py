"""A point that trains in milliseconds."""

import pytest

from compared.points import Point


@pytest.fixture
def small():
    """Points on a block model of 800 nodes."""
    return lambda conv="gcn", depth=3: Point("blocks-800", conv, depth, 16)
