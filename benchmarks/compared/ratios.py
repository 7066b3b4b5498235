"""The few statistics of a comparison."""

import math
import statistics
from collections.abc import Mapping, Sequence


def quartiles(values: Sequence[float]) -> list[float]:
    """First quartile, median, third quartile."""
    if len(values) == 1:
        return [values[0]] * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def of_rounds(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Quartiles of one over other, round by round: what slows a round down slows both."""
    return quartiles([a / b for a, b in zip(one, other, strict=True)])


def exponent(values: Mapping[float, float]) -> float:
    """The slope of log value over log size, by least squares: 1 for what is proportional, 0.5 for a square root.

    values: by size, two at least, all positive.
    """
    fit = statistics.linear_regression([math.log(size) for size in values], [math.log(v) for v in values.values()])
    return fit.slope
