"""Compiling loops, keeping them for the next process, and sharing rows among threads."""

import errno
import os
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.engine import numba_compile as engine
from zoo.engine.numba_compile import array, by_member, compiled, numbers, over_rows, parts, prefetch

LOOP = """
def double(x, out):
    for place in range(len(x)):
        out[place] = 2 * x[place]
"""

# Compiles the loop for one type; with "slow" it waits between reading the index and writing it, as a slow disk would.
WRITER = """
import sys
import numba
import numpy as np
from numba.core.caching import FunctionCache, IndexDataCacheFile
from zoo.engine.numba_compile import SharedCache
from loop import double

save_index, cache = IndexDataCacheFile._save_index, FunctionCache if "plain" in sys.argv else SharedCache

def slowly(self, overloads):
    print("between", flush=True)
    sys.stdin.readline()
    save_index(self, overloads)

class Telling(cache):
    def save_overload(self, *arguments):
        print("saving", flush=True)
        super().save_overload(*arguments)

if "slow" in sys.argv:
    IndexDataCacheFile._save_index = slowly
x = np.arange(4).astype(sys.argv[1])
out = np.zeros_like(x)
made = numba.njit(double)
made._cache = Telling(double)
made(x, out)
print(sum(made.stats.cache_hits.values()), out.tolist(), flush=True)
"""


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_shares_cover_every_row_once_and_are_even(three_threads):
    """Three threads get all rows between them, in order, with about as many entries each."""
    rows = 10_000
    offsets = np.concatenate([[0], np.random.default_rng(0).integers(0, 50, rows).cumsum()])
    shares = {}

    def loop(name, first, last, part):
        assert name == "x"
        shares[part] = (first, last)

    over_rows(loop, offsets, 64, "x")
    ends = [shares[part] for part in range(3)]
    assert ends[0][0] == 0 and ends[2][1] == rows
    assert all(one[1] == two[0] for one, two in pairwise(ends))
    work = [offsets[last] - offsets[first] for first, last in ends]
    assert max(work) < 1.1 * min(work)


def test_little_work_is_not_shared(three_threads):
    """A graph of a few rows is done by the calling thread alone."""
    assert parts(10, 64) == 1 and parts(100_000, 64) == 3


def test_an_error_of_a_share_arrives(three_threads):
    """What a thread raises is raised to the caller."""

    def loop(first, last, part):
        if part == 1:
            raise ValueError("in a share")

    with pytest.raises(ValueError, match="in a share"):
        over_rows(loop, np.arange(20_001), 64)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(three_threads):
    """After a fork the parent's threads are gone, and work is still done."""
    offsets = np.arange(20_001)
    done = np.zeros(20_000)

    def loop(out, first, last, part):
        out[first:last] += 1

    over_rows(loop, offsets, 64, done)
    child = os.fork()
    if child == 0:
        again = np.zeros(20_000)
        over_rows(loop, offsets, 64, again)
        os._exit(0 if again.min() == again.max() == 1 else 1)
    assert done.min() == done.max() == 1
    assert os.waitpid(child, 0)[1] == 0


def test_a_loop_compiles_where_nothing_can_be_written(monkeypatch):
    """Without a folder for machine code it is compiled for this process only."""
    real = engine.numba.njit

    def njit(loop, *, cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return real(loop, **options)

    monkeypatch.setattr(engine.numba, "njit", njit)

    def loop(out, first, last, part):
        for i in range(first, last):
            out[i] = i

    out = np.zeros(4)
    compiled(loop)(out, 0, 4, 0)
    assert out.tolist() == [0, 1, 2, 3]


def test_prefetching_changes_nothing():
    """The first and the last place of an array of any type can be asked for; the array stays what it is."""

    def loop(x, first, last, part):
        for i in range(first, last):
            prefetch(x, i)

    for dtype in (np.float32, np.float64, np.int32, np.bool_):
        x = np.ones(70, dtype)
        engine.numba.njit(loop)(x, 0, 70, 0)
        assert (x == 1).all()


@pytest.fixture
def loop_folder(tmp_path, monkeypatch) -> Path:
    """A folder with a module `loop`, whose machine code is kept in `__pycache__` there."""
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "__pycache__").mkdir()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return tmp_path


def process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that compiles the loop."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{folder}"},
    )


def outcome(started: subprocess.Popen[str]) -> str:
    with started:  # which closes its streams, and waits
        assert started.stdout is not None
        return started.stdout.read().splitlines()[-1]


def after_a_collision(folder: Path, *words: str) -> list[str]:
    """What later processes find for two types, when the second was compiled while the first was being written."""
    first = process(folder, "float32", "slow", *words)
    assert first.stdout is not None
    assert [first.stdout.readline() for _ in range(2)] == ["saving\n", "between\n"]
    second = process(folder, "int64", *words)
    assert second.stdout is not None and second.stdout.readline() == "saving\n"
    time.sleep(0.5)  # where nothing holds it back the second writes now
    assert first.stdin is not None
    first.stdin.write("\n")
    first.stdin.flush()
    assert outcome(first) == "0 [0.0, 2.0, 4.0, 6.0]"
    assert outcome(second) == "0 [0, 2, 4, 6]"
    return [outcome(process(folder, kind, *words)) for kind in ("float32", "int64")]


def test_two_processes_compile_one_loop_for_two_types(loop_folder):
    """Each type gets the code that was made for it, and both are kept, though the second is made while one writes."""
    assert after_a_collision(loop_folder) == ["1 [0.0, 2.0, 4.0, 6.0]", "1 [0, 2, 4, 6]"]


@pytest.fixture
def double(loop_folder, monkeypatch):
    """Makes the loop as a fresh process would find it."""
    monkeypatch.syspath_prepend(str(loop_folder))

    def make():
        namespace: dict = {}
        source = (loop_folder / "loop.py").read_text()
        exec(compile(source, str(loop_folder / "loop.py"), "exec"), namespace)
        return compiled(namespace["double"])

    return make


def doubled(loop) -> tuple[list[float], int]:
    """What the loop makes of three numbers, and how often its code was found in the cache."""
    out = np.zeros(3)
    loop(np.arange(3.0), out)
    return out.tolist(), sum(loop.stats.cache_hits.values())


def test_the_next_one_finds_it(double):
    """What was compiled once is not compiled again."""
    assert doubled(double()) == ([0.0, 2.0, 4.0], 0)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 1)


def test_code_for_other_types_is_not_run(double, loop_folder):
    """An index that names the code of other types, as a collision without locks leaves it, costs a compilation."""
    whole = double()
    whole(np.arange(3), out := np.zeros(3, dtype=np.int64))
    (of_integers,) = (loop_folder / "__pycache__").glob("loop.double-*.1.nbc")
    doubled(double())
    (of_floats,) = (loop_folder / "__pycache__").glob("loop.double-*.2.nbc")
    of_floats.write_bytes(of_integers.read_bytes())
    assert out.tolist() == [0, 2, 4]
    assert doubled(double()) == ([0.0, 2.0, 4.0], 0)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 1)


def test_code_of_another_engine_is_not_run(double, loop_folder, monkeypatch):
    """Another `numba_compile.py`, with other options for floats, say, compiles loops anew, whatever their own file."""
    doubled(double())
    assert doubled(double())[1] == 1
    monkeypatch.setattr("zoo.engine.numba_compile._ENGINE", "another")
    assert doubled(double())[1] == 0


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05half", b"text"])
def test_a_damaged_file_is_made_anew(double, loop_folder, kind, content):
    """A file that a power failure left empty or half is compiled over, not an error in the middle of a training."""
    doubled(double())
    (file,) = (loop_folder / "__pycache__").glob(
        f"loop.double-*.{kind}" if kind == "nbi" else f"loop.double-*.1.{kind}"
    )
    file.write_bytes(content)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 0)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 1)


def test_a_full_disk_is_done_without(double, loop_folder, monkeypatch):
    """Where the code cannot be kept it runs all the same."""

    def full(self, *arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", full)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 0)
    monkeypatch.undo()
    assert doubled(double())[0] == [0.0, 2.0, 4.0]


def test_a_folder_without_locks_is_used(double, monkeypatch):
    """A folder that can only be read is read without a lock."""
    doubled(double())

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("zoo.engine.numba_compile.locked", refuse)
    assert doubled(double()) == ([0.0, 2.0, 4.0], 1)


def test_memory_is_shared_where_it_lies_in_order():
    """What a loop writes into a contiguous tensor's array stands in the tensor; a strided one is copied."""
    x = torch.zeros(2, 3, requires_grad=True)
    array(x, x.dtype)[0, 1] = 5
    assert x[0, 1] == 5
    strided = torch.arange(6.0).view(2, 3).t()
    assert array(strided, strided.dtype).flags.c_contiguous
    np.testing.assert_array_equal(array(strided, strided.dtype), strided.numpy())


def test_nothing_is_an_array_without_rows():
    """In place of a tensor that is not there stands an empty array of the same kind."""
    assert array(None, torch.float64).shape == (0, 0) and array(None, torch.bool, dimensions=1).shape == (0,)
    assert array(None, torch.float64).dtype == np.float64


def test_numbers_have_the_precision_of_the_features():
    """float64 numbers would have all that they multiply computed in float64."""
    assert numbers(torch.float32, 0.2, 1.0).dtype == np.float32
    assert numbers(torch.float64, 0.1)[0] == 0.1


def test_members_come_one_after_the_other():
    """Of several networks each array's parts, in order; what is not there goes to each; one network is whole."""
    x, y = np.arange(12.0).reshape(2, 3, 2), np.arange(4.0).reshape(2, 2)
    nothing = np.empty((0, 0))
    first, second = by_member(3, x, nothing, y)
    assert (first[0] == x[0]).all() and first[1] is nothing and (first[2] == y[0]).all()
    assert (second[0] == x[1]).all() and second[1] is nothing and (second[2] == y[1]).all()
    assert list(by_member(2, y, nothing)) == [(y, nothing)]
