"""All that a training needs to go on as if it had never stopped."""

import random
from typing import Any

import numpy as np
import torch

State = dict[str, Any]


def random_state() -> State:
    """Where every generator of chance stands: Python's, NumPy's, PyTorch's on all devices.

    DGL's own generator can be seeded but not read: samplers seed it anew for each sample.
    """
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - what DGL's loaders draw from
    return {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(np.array(keys, dtype=np.int64)), int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: State) -> None:
    """Put every generator where `random_state` found it."""
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
