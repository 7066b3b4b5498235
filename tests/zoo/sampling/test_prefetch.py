"""Making things ahead of time in worker processes."""

import multiprocessing
import os

import pytest

from zoo.sampling.prefetch import made


def square(number: int) -> tuple[int, int]:
    if number == 13:
        raise ValueError("thirteen")
    return number**2, os.getpid()


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_what_is_made_comes_in_order(workers: int, count: int):
    """For any number of items and workers; the first is made here, the others elsewhere where there are workers."""
    found = list(made(square, range(count), workers))
    assert [value for value, _ in found] == [number**2 for number in range(count)]
    here = [process == os.getpid() for _, process in found]
    assert here == [place == 0 or not workers for place in range(count)]
    assert not multiprocessing.active_children()


def test_an_error_in_a_worker_comes_here():
    """With its kind and text, and no process stays."""
    said = ""
    try:
        list(made(square, [1, 2, 13, 4], 2))
    except ValueError as error:  # not pytest.raises, which would keep the frames, and with them the iterator
        said = str(error)
    assert "thirteen" in said
    assert not multiprocessing.active_children()
