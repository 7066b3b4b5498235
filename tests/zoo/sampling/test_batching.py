"""Which examples are in which batch, of which process."""

import multiprocessing
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.sampling.batching import Batching, made
from zoo.system.seeds import permutation


@given(
    st.integers(1, 60),
    st.one_of(st.none(), st.integers(1, 70)),
    st.integers(0, 9),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_every_example_is_in_one_share_of_an_epoch(count, size, seed, processes, epoch):
    """Over all processes and batches each example comes once, and batches have the size asked for but the last."""
    teams = [list(Batching(count, size, seed, rank, processes).epoch(epoch)) for rank in range(processes)]
    assert {len(shares) for shares in teams} == {Batching(count, size, seed).steps}
    batches = [torch.cat([shares[number].examples for shares in teams]) for number in range(len(teams[0]))]
    assert sorted(torch.cat(batches).tolist()) == list(range(count))
    assert all(len(batch) == (size or count) for batch in batches[:-1])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_weighted_means_of_processes_average_to_the_mean(count, size, processes):
    """For any loss: the mean over processes of weight · mean of the share is the mean of the batch."""
    loss = torch.from_numpy(np.random.default_rng(count).standard_normal(count))
    teams = [list(Batching(count, size, 3, rank, processes).epoch(0)) for rank in range(processes)]
    for shares in zip(*teams, strict=True):
        batch = torch.cat([share.examples for share in shares])
        parts = [share.weight * loss[share.examples].mean() if len(share.examples) else 0.0 for share in shares]
        assert float(sum(parts)) / processes == pytest.approx(float(loss[batch].mean()), rel=1e-12)


def test_an_epoch_goes_on_in_its_middle():
    """From batch 2 on it is what the whole epoch has from there, with the numbers of the batches."""
    batching = Batching(10, 3, 7)
    whole, rest = list(batching.epoch(4)), list(batching.epoch(4, start=2))
    assert [share.number for share in whole] == [0, 1, 2, 3] and [share.number for share in rest] == [2, 3]
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.examples, other.examples)


def test_orders_differ_between_epochs_and_seeds():
    """And are the same again for the same; a whole batch keeps its order."""
    orders = {(seed, epoch): tuple(permutation(50, seed, epoch).tolist()) for seed in (0, 1) for epoch in (0, 1)}
    assert len(set(orders.values())) == 4
    assert orders[0, 1] == tuple(permutation(50, 0, 1).tolist())
    (share,) = Batching(5, None, 1).epoch(3)
    assert (share.examples.tolist(), share.weight) == ([0, 1, 2, 3, 4], 1.0)


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
