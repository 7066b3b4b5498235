"""Rounds of a measurement: so many, or as many as there is time for."""

import time
from collections.abc import Iterator


def rounds(most: int, budget: float, fewest: int) -> Iterator[int]:
    """Numbers from 0 to below `most`; none after `budget` seconds, but for the `fewest` that there are in any case."""
    began = time.perf_counter()
    for number in range(most):
        if number >= fewest and time.perf_counter() - began > budget:
            return
        yield number
