"""One seed for every source of chance."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from zoo.dgl_backend import dgl
from zoo.errors import ZooError
from zoo.training.seed import checked_seed, seed_everything


def draw() -> tuple:
    graph = dgl.graph((list(range(1, 50)), [0] * 49), num_nodes=50)
    sampled = dgl.sampling.sample_neighbors(graph, [0], 5).edges()[0].tolist()
    legacy = float(np.random.rand())  # noqa: NPY002 - the generator that DGL's loaders use
    return random.random(), legacy, float(torch.rand(())), sampled


def test_the_same_seed_gives_the_same_draws_everywhere():
    """Python, NumPy, PyTorch and DGL's samplers repeat themselves, and differ for another seed."""
    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    seed_everything(4)
    other = draw()
    assert all(a != b for a, b in zip(first[:3], other[:3], strict=True))


def test_dgls_draws_are_those_of_one_thread_in_every_process():
    """With two threads in use, new processes sample what one thread does: the first seeding is no race of threads."""
    words = (
        "import sys, torch; from zoo.dgl_backend import dgl; from zoo.training.seed import seed_everything\n"
        "torch.set_num_threads(int(sys.argv[1])); dgl.utils.set_num_threads(int(sys.argv[1]))\n"
        "graph = dgl.graph((torch.arange(2000) % 50, torch.arange(2000) // 40)); seed_everything(3)\n"
        "dgl.utils.set_num_threads(1); dgl.seed(5)\n"
        "print(dgl.sampling.sample_neighbors(graph, torch.arange(50), 3).edges()[0].tolist())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    drawn = {
        subprocess.run(
            [sys.executable, "-c", words, threads], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for threads in ("1", "2", "2", "2", "2")
    }
    assert len(drawn) == 1


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


def test_the_ends_of_the_range_seed_everything():
    """0 and the largest seed are taken by Python, NumPy, PyTorch and DGL."""
    for seed in (0, 2**31 - 1):
        seed_everything(checked_seed(seed))
