"""Random orders and seeds that are functions of other seeds."""

import numpy as np
import torch
from torch import Tensor


def permutation(count: int, *seeds: int) -> Tensor:
    """0 … count−1 in an order that the seeds decide, by PCG64, a stream that NumPy promises not to change."""
    keys = np.random.PCG64(list(seeds)).random_raw(count)
    return torch.from_numpy(np.argsort(keys, kind="stable"))


def stream(*seeds: int) -> int:
    """A seed in 0 … 2³¹−1 for a generator that is to be its own for each of these seeds."""
    return int(np.random.SeedSequence(list(seeds)).generate_state(1)[0] >> 1)
