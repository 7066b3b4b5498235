import math

from compared import rounds as module
from compared.rounds import rounds


def test_rounds_end_with_their_number_or_with_the_time(monkeypatch):
    """So many at most; none is begun when the time is over, but for the fewest."""
    monkeypatch.setattr(module.time, "perf_counter", iter(range(100)).__next__)  # a second for each look at the clock
    assert list(rounds(3, math.inf, 1)) == [0, 1, 2]
    assert list(rounds(10, 2.5, 1)) == [0, 1, 2]
    assert list(rounds(10, 0.0, 4)) == [0, 1, 2, 3]
    assert list(rounds(2, 0.0, 4)) == [0, 1]
