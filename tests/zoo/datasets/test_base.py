"""Data sets and splits as they are handed on."""

import dataclasses

import pytest
import torch

from zoo.datasets.base import NodeData, Split

NODES = torch.arange(3)
DATA = NodeData("triangle", NODES, NODES.roll(1), torch.ones(3, 2), NODES, 3, facts={"source": "here"})
SPLIT = Split("given", NODES[:1], NODES[1:2], NODES[2:], facts={"rule": "by hand"}, why="there is no other")


def test_a_data_set_is_frozen():
    """Nobody changes in place what others read."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(DATA, "classes", 2)  # noqa: B010
    assert DATA.nodes == 3


def test_the_record_says_where_data_come_from():
    """Facts, and of what else is known only what there is."""
    assert DATA.provenance() == {"source": "here"}
    known = dataclasses.replace(DATA, digest="ab", verified="by sha256", absent={"public": "no masks"})
    assert known.provenance() == {
        "source": "here",
        "absent": {"public": "no masks"},
        "verified": "by sha256",
        "digest": "ab",
    }
    assert SPLIT.provenance() == {"rule": "by hand", "why": "there is no other"}
