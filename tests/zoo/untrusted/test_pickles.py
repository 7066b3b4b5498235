"""Pickles before they are run."""

import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from zoo.untrusted.pickles import scan, scan_bytes


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_passes(protocol):
    """What Python writes of numbers, text, containers and arrays is let through, byte for byte."""
    for value in ({"a": [1, (2.5, None)], 3: {"x"}}, np.arange(5), "é" * 300, b"x" * 300, OrderedDict(a=1), 2**100):
        data = pickle.dumps(value, protocol)
        assert scan_bytes(data + b"more") == data


def test_pickles_that_follow_each_other():
    """Each is taken by itself, and the stream stands before the next."""
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]))
    assert [pickle.loads(scan(stream)) for _ in range(2)] == [1, [2]]


@pytest.mark.parametrize(
    "data",
    [b"]r\xff\xff\xff\x7f.", b"]p2000000000\n.", b"]r\x00\x00\x00\x10.", b"]p-1\n."],
    ids=["LONG_BINPUT", "PUT", "256 MiB", "negative"],
)
def test_a_far_place_in_the_memo_is_refused(data):
    """Seven bytes would make the unpickler fill gigabytes."""
    with pytest.raises(ValueError, match="its memo has a place"):
        scan_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x82\x01.",
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x40.",
        b"\x80\x05\x97.",
        b"Px\n.",
    ],
    ids=["INST", "OBJ", "EXT1", "BYTEARRAY8", "NEXT_BUFFER", "PERSID"],
)
def test_what_plain_data_does_not_need_is_refused(data):
    """Calls of old, codes of extensions, buffers."""
    with pytest.raises(ValueError):
        scan_bytes(data)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_truncated_pickles_are_refused(cut):
    """Wherever it ends too early."""
    with pytest.raises(ValueError):
        scan_bytes(pickle.dumps(list(range(100)))[:cut])
