"""Compiling loops, and sharing rows among threads."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.engine import numba_compile as engine
from zoo.engine.numba_compile import compiled, over_rows, parts, prefetch


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_shares_cover_every_row_once_and_are_even(three_threads):
    """Three threads get all rows between them, in order, with about as many entries each."""
    rows = 10_000
    offsets = np.concatenate([[0], np.random.default_rng(0).integers(0, 50, rows).cumsum()])
    shares = {}

    def loop(name, first, last, part):
        assert name == "x"
        shares[part] = (first, last)

    over_rows(loop, offsets, 64, "x")
    ends = [shares[part] for part in range(3)]
    assert ends[0][0] == 0 and ends[2][1] == rows
    assert all(one[1] == two[0] for one, two in pairwise(ends))
    work = [offsets[last] - offsets[first] for first, last in ends]
    assert max(work) < 1.1 * min(work)


def test_little_work_is_not_shared(three_threads):
    """A graph of a few rows is done by the calling thread alone."""
    assert parts(10, 64) == 1 and parts(100_000, 64) == 3


def test_an_error_of_a_share_arrives(three_threads):
    """What a thread raises is raised to the caller."""

    def loop(first, last, part):
        if part == 1:
            raise ValueError("in a share")

    with pytest.raises(ValueError, match="in a share"):
        over_rows(loop, np.arange(20_001), 64)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(three_threads):
    """After a fork the parent's threads are gone, and work is still done."""
    offsets = np.arange(20_001)
    done = np.zeros(20_000)

    def loop(out, first, last, part):
        out[first:last] += 1

    over_rows(loop, offsets, 64, done)
    child = os.fork()
    if child == 0:
        again = np.zeros(20_000)
        over_rows(loop, offsets, 64, again)
        os._exit(0 if again.min() == again.max() == 1 else 1)
    assert done.min() == done.max() == 1
    assert os.waitpid(child, 0)[1] == 0


def test_a_loop_compiles_where_nothing_can_be_written(monkeypatch):
    """Without a folder for machine code it is compiled for this process only."""
    real = engine.numba.njit

    def njit(loop, *, cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return real(loop, **options)

    monkeypatch.setattr(engine.numba, "njit", njit)

    def loop(out, first, last, part):
        for i in range(first, last):
            out[i] = i

    out = np.zeros(4)
    compiled(loop)(out, 0, 4, 0)
    assert out.tolist() == [0, 1, 2, 3]


def test_prefetching_changes_nothing():
    """The first and the last place of an array of any type can be asked for; the array stays what it is."""

    def loop(x, first, last, part):
        for i in range(first, last):
            prefetch(x, i)

    for dtype in (np.float32, np.float64, np.int32, np.bool_):
        x = np.ones(70, dtype)
        engine.numba.njit(loop)(x, 0, 70, 0)
        assert (x == 1).all()


def test_only_this_package_imports_numba():
    """What compiles is in one place, so that the rest of the zoo runs without it."""
    root = Path(__file__).parents[3]
    saying = {
        file.relative_to(root).parts[1]
        for file in root.glob("zoo/**/*.py")
        if "import numba" in file.read_text(encoding="utf-8")
    }
    assert saying == {"compiled"}
