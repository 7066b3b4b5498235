"""How many threads compute."""

import os

from zoo.dgl_backend import install


def set_threads(threads: int) -> None:
    """Say so to every library, in this process and in those that it starts; before any of them is loaded."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    install()  # threads that wait then sleep
