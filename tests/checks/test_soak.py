"""The long use of one process, in its short form; the whole of it is in docs/reliability.md."""

import subprocess
import sys
from pathlib import Path

import soak

ROOT = Path(__file__).resolve().parents[2]


def held(resident: float, files: int = 5, threads: int = 3, children: int = 0, left: int = 0) -> soak.Held:
    """What a process holds after a run."""
    return soak.Held(resident, files, threads, children, left)


def test_two_rounds_of_every_kind_leave_nothing_behind():
    """Every kind is trained twice in a process of its own: no file, thread, child process or draft is left.

    Memory is promised for the long form: in the second round pools and caches are still being filled.
    """
    runs, settle = 2 * len(soak.KINDS), len(soak.KINDS)
    words = ["--runs", str(runs), "--settle", str(settle), "--growth", "30"]
    ended = subprocess.run(
        [sys.executable, ROOT / "checks" / "soak.py", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{runs} runs of {len(soak.KINDS)} kinds" in ended.stdout and "nothing was left behind" in ended.stdout


def test_what_grows_or_stays_is_a_broken_promise():
    """Memory above the growth, and any more files, threads, child processes, temporary files or drafts, are told."""
    round_ = len(soak.KINDS)
    sound = [held(100.0)] * round_
    assert soak.judged([*sound, *[held(104.0)] * round_], [], round_, 5) == []
    grown = [held(106.0, files=6, threads=4, children=1, left=2)] * round_
    said = soak.judged([*sound, *grown], ["res-gcn/x.part"], round_, 5)
    assert [line.split(" — ")[0] for line in said] == [
        "memory grew by 6.0 %",
        "open files, sockets and pipes: 6",
        "threads: 4",
        "child processes: 1",
        "temporary files: 2",
        "drafts of files were left: res-gcn/x.part",
    ]
