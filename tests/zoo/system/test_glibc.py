"""What the C library is told of large tensors, and when."""

import platform
import subprocess
import sys

import pytest

from zoo.system import glibc as module
from zoo.system.glibc import choose_trimming, glibc, trimming


@pytest.fixture(autouse=True)
def anew():
    glibc.cache_clear()
    yield
    glibc.cache_clear()


def test_glibc_takes_options():
    """Where it is the C library its mallopt says 1 to an option that it knows."""
    library = glibc()
    if library is None:
        pytest.skip("this machine's C library is not glibc")
    assert library.mallopt(-6, 0) == 1  # M_PERTURB, off as ever


def test_other_libraries_are_none(monkeypatch):
    """On musl and on other systems there is nothing to change."""
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert glibc() is None


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
    monkeypatch.setattr(module, "glibc", lambda: made)
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    return made


def test_it_is_told_where_memory_is_asked_for(library: Library):
    """There is a reason for the record; the threshold goes down for a `with`, and up again after it."""
    choice = choose_trimming(True, "cpu")
    assert choice is not None and "training.memory" in choice.why and not library.told
    with trimming(True):
        assert library.told[-3] == 64 * 1024
    assert library.told[-3] == 32 * 1024 * 1024


def test_else_it_is_left_alone(library: Library, monkeypatch: pytest.MonkeyPatch):
    """Without the wish, on other devices, where the environment says it, and where there is no glibc."""
    assert choose_trimming(False, "cpu") is None and choose_trimming(True, "cuda") is None
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    assert choose_trimming(True, "cpu") is None
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_")
    with trimming(False):
        assert not library.told
    monkeypatch.setattr(module, "glibc", lambda: None)
    with trimming(True):
        assert choose_trimming(True, "cpu") is None and not library.told


MEMORY = """
import torch
from zoo.system.glibc import choose_trimming, trimming

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])

print(choose_trimming(True, "cpu") is not None)
with trimming(True):
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
