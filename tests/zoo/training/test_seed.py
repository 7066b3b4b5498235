"""One seed for every source of chance."""

import os
import random
import subprocess
import sys

import numpy as np
import torch

from zoo.dgl_backend import dgl
from zoo.training.seed import seed_everything


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
