"""One seed for every source of chance."""

import random

import numpy as np
import torch

from zoo.dgl_backend import dgl


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, PyTorch (all devices) and DGL, whose samplers keep a state of their own."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - DGL's loaders shuffle with the global generator
    torch.manual_seed(seed)
    dgl.seed(seed)
