"""What the C library is told of large tensors, and when."""

import subprocess
import sys

import pytest
import torch

from zoo.system import allocator

CPU = torch.device("cpu")


class Library:
    """Stands in for glibc, and notes what it is told."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def mallopt(self, option: int, value: int) -> int:
        self.told[option] = value
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """A process that was told nothing yet."""
    made = Library()
    monkeypatch.setattr(allocator, "glibc", lambda: made)
    monkeypatch.setattr(allocator, "_changed", False)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    return made


def test_it_is_told_where_memory_is_asked_for(library: Library):
    """The threshold goes down with a reason for the record, and up again when the next run does not ask."""
    choice = allocator.give_back(True, CPU)
    assert choice is not None and "training.memory" in choice.why
    assert library.told[-3] == 64 * 1024
    assert allocator.give_back(False, CPU) is None
    assert library.told[-3] == 32 * 1024 * 1024


def test_else_it_is_left_alone(library: Library, monkeypatch: pytest.MonkeyPatch):
    """Without the wish, on other devices, where the environment says it, and where there is no glibc."""
    assert allocator.give_back(False, CPU) is None
    assert allocator.give_back(True, torch.device("cuda")) is None
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    assert allocator.give_back(True, CPU) is None
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_")
    monkeypatch.setattr(allocator, "glibc", lambda: None)
    assert allocator.give_back(True, CPU) is None
    assert not library.told


MEMORY = """
import torch
from zoo.system.allocator import give_back

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])

print(give_back(True, torch.device("cpu")) is not None)
many = [torch.ones(50_000) for _ in range(400)]
before = resident()
del many[::2]  # every second one: none is at the end of the heap
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_freed_tensors_leave_the_process_at_once():
    """Of 400 tensors of 0.2 MB every second one is freed: 40 MB leave, where glibc is what there is."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    told, left = done.stdout.split()
    assert told == "False" or int(left) > 0.9 * 200 * 200_000 / 1024
