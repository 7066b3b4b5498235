import torch

from compared import allocator

MIB = 1 << 20


def test_the_peak_begins_anew():
    """A tensor that came and went is in the peak until that is forgotten, and no longer afterwards."""
    allocator.give_back()
    if not allocator.forget_peak():
        return  # the system does not let it
    before = allocator.resident()
    torch.ones(64 * MIB // 4).sum()
    assert allocator.resident(peak=True) - before > 60 * MIB
    allocator.give_back()
    assert allocator.forget_peak()
    assert allocator.resident(peak=True) - before < 30 * MIB


def test_there_is_memory():
    """The system says how much a process could have: more than this one uses."""
    assert allocator.available() > allocator.resident() // 10
