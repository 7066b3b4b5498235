"""Seeds, random orders, and the state of the process's random generators."""

import operator
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from zoo.errors import TrainingError

SEEDS = 2**31  # DGL takes no larger ones, NumPy none below 0

RandomState = dict[str, Any]


def checked_seed(seed: SupportsIndex) -> int:
    """Return the seed as Python's int, from any package's integer type. Raises: TrainingError if it is no seed."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise TrainingError(f"seed {seed!r} — is none — expected a whole number, 0 to {SEEDS - 1}")
    return number


def permutation(count: int, *seeds: int) -> Tensor:
    """0 … count−1 in an order that the seeds decide, by PCG64, a stream that NumPy promises not to change."""
    keys = np.random.PCG64(list(seeds)).random_raw(count)
    return torch.from_numpy(np.argsort(keys, kind="stable"))


def stream(*seeds: int) -> int:
    """A seed in 0 … 2³¹−1 for a generator that is to be its own for each of these seeds."""
    return int(np.random.SeedSequence(list(seeds)).generate_state(1)[0] >> 1)


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (all devices)."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - DGL's loaders shuffle with the global generator
    torch.manual_seed(seed)


def random_state() -> RandomState:
    """Return the state of the global generators of Python, NumPy and PyTorch (all devices), as plain values.

    DGL's own generator can be seeded but not read: samplers seed it anew for each sample.
    """
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - what DGL's loaders draw from
    return {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(np.array(keys, dtype=np.int64)), int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_state(state: RandomState) -> None:
    """Set every global generator to what `random_state` returned."""
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Put the global generators back at the end of the `with`."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
