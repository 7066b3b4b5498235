"""One seed for every source of chance."""

import operator
import random
from typing import SupportsIndex

import numpy as np
import torch

from zoo.dgl_backend import dgl
from zoo.errors import TrainingError

SEEDS = 2**31  # DGL takes no larger ones, NumPy none below 0


def checked_seed(seed: SupportsIndex) -> int:
    """The seed as Python's int, whichever package's whole number it was. Raises: TrainingError if it is no seed."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise TrainingError(f"seed {seed!r} — is none — expected a whole number, 0 to {SEEDS - 1}")
    return number


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, PyTorch (all devices) and DGL, whose samplers keep a state of their own."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - DGL's loaders shuffle with the global generator
    torch.manual_seed(seed)
    # DGL numbers threads as they come and adds the number to the seed. This thread has to be the first: with several it
    # was a race, and what is sampled here differed from process to process.
    threads = dgl.utils.get_num_threads()
    dgl.utils.set_num_threads(1)
    dgl.seed(seed)
    dgl.utils.set_num_threads(threads)
    dgl.seed(seed)
