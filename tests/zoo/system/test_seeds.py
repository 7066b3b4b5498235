"""Seeds of every kind, and the state of the generators: what runs were made with stays."""

import hashlib
import random

import numpy as np
import pytest
import torch

from zoo.errors import ZooError
from zoo.system.seeds import (
    checked_seed,
    kept_random_state,
    permutation,
    random_state,
    seed_generators,
    set_random_state,
    stream,
)


def draw() -> tuple[float, float, float]:
    """A number of each generator."""
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002 - what DGL draws from


def test_the_same_seed_gives_the_same_draws_everywhere():
    """Python, NumPy and PyTorch repeat themselves, and differ for another seed."""
    seed_generators(3)
    first = draw()
    seed_generators(3)
    assert draw() == first
    seed_generators(4)
    assert all(a != b for a, b in zip(first, draw(), strict=True))


def test_the_state_of_all_generators_is_put_back():
    """Set again, or at the end of a `with`, draws go on where they were; normal numbers of NumPy come in pairs."""
    seed_generators(1)
    np.random.randn()  # noqa: NPY002
    state = random_state()
    expected = draw(), float(np.random.randn())  # noqa: NPY002
    set_random_state(state)
    with kept_random_state():
        seed_generators(9)
        draw()
    assert (draw(), float(np.random.randn())) == expected  # noqa: NPY002


def test_the_streams_stay_what_they_are():
    """Runs made with another version of NumPy see the same batches: PCG64 and SeedSequence do not change."""
    keys = np.random.PCG64([5, 2]).random_raw(1000)
    assert permutation(1000, 5, 2).tolist() == sorted(range(1000), key=lambda place: keys[place])
    assert hashlib.sha256(permutation(1000, 5, 2).numpy().tobytes()).hexdigest()[:12] == "2e52f0343ed5"
    seeds = {stream(seed, epoch, number) for seed in range(5) for epoch in range(5) for number in range(5)}
    assert len(seeds) == 125 and all(0 <= seed < 2**31 for seed in seeds)
    assert stream(3, 1, 4) == int(np.random.SeedSequence([3, 1, 4]).generate_state(1)[0]) // 2


@pytest.mark.parametrize("seed", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)])
def test_whole_numbers_of_any_package_are_seeds(seed):
    """The seed is Python's int then, which a record can be written with."""
    assert checked_seed(seed) == 3
    assert type(checked_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, 2**31, 2**64, True, 1.0, "3", None, np.float64(3), np.int64(-1)])
def test_what_is_no_seed_is_refused_with_the_range(seed):
    """Out of the range that all sources of chance take, or no whole number: an error with both ends of it."""
    with pytest.raises(ZooError, match="expected a whole number, 0 to 2147483647"):
        checked_seed(seed)


def test_the_ends_of_the_range_seed_every_generator():
    """0 and the largest seed are taken by Python, NumPy and PyTorch."""
    for seed in (0, 2**31 - 1):
        seed_generators(checked_seed(seed))
