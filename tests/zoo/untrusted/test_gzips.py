"""A gzip file unpacked as far as is sensible."""

import gzip

import pytest

from zoo.untrusted.gzips import unpacked


def test_text_comes_back():
    """What was packed, from its beginning."""
    assert unpacked(gzip.compress(b"1,2\n" * 1000)).read() == b"1,2\n" * 1000


def test_a_bomb_is_stopped():
    """Zeros without end are unpacked to the limit only."""
    bomb = gzip.compress(bytes(8 << 20))
    with pytest.raises(ValueError, match="unpack to more than"):
        unpacked(bomb, ratio=10, free=1 << 20)


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"x" * 100)[:-9]], ids=["empty", "another", "cut"])
def test_damaged_files_are_refused(data):
    """Not one of them is read as an empty one, but for the empty one."""
    if not data:
        assert unpacked(data).read() == b""
        return
    with pytest.raises((OSError, EOFError)):
        unpacked(data)
