"""Fuzzing that looks at coverage: inputs that reach new lines of the zoo's readers are kept and changed further.

    python checks/fuzz.py [--seconds 60] [--targets recipe,overrides,…] [--crashes fuzz-crashes]

Each target gets its share of the seconds in a process of its own, with atheris (the `test` extra; Python 3.11 and
later on x86-64). The corpus is made at the start from shipped recipes and from files as the zoo writes them. What a
reader raises beside the error that it documents is a crash: its input is kept in the folder of crashes, and named with
the command that repeats it. So is an input that takes longer than 5 s or more than 2 GiB. The exit code is 1 if there
is any.

    python checks/fuzz.py --repeat fuzz-crashes/recipe-crash-0123…
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

SECONDS, MEGABYTES = 5, 2048  # of one input
LONGEST = 8192  # bytes of an input
MISSING = (
    "fuzz — atheris is not installed — expected it beside Python 3.11 or later on x86-64 — pip install -e '.[test]', "
    "or leave this check out"
)


def fuzz(target: str, seconds: int, corpus: str, crashes: str) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["zoo", "registry"]):  # pyright: ignore[reportAttributeAccessIssue]
        from hostile.targets import TARGETS

        run = TARGETS[target].run
        for right in TARGETS[target].corpus():  # imports what it needs, under the eyes of atheris
            run(right)
    options = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}"]
    options += [f"-artifact_prefix={crashes}/{target}-", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], corpus, *options], run)
    atheris.Fuzz()


def _child(target: str, seconds: int, crashes: Path) -> tuple[int, str]:
    """Fuzz one target in a process of its own; the number of inputs that were tried, and what it crashed by."""
    from hostile.targets import TARGETS

    with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
        for number, content in enumerate(TARGETS[target].corpus()):
            Path(corpus, str(number)).write_bytes(content)
        words = [sys.executable, __file__, "--child", target, "--seconds", str(seconds), "--crashes", str(crashes)]
        words += ["--corpus", corpus]
        ended = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=seconds * 3 + 300, check=False
        )
    tried = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    lines = [line for line in (*ended.stderr.splitlines(), *ended.stdout.splitlines()) if not line.startswith("INFO")]
    return int(tried[1]) if tried else 0, "\n".join(lines[-40:]) if ended.returncode else ""


def main(arguments: list[str] | None = None) -> int:
    """Fuzz every target in turn, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of all targets together")
    parser.add_argument("--targets", default="", metavar="LIST", help="some of them, with commas; unset: all")
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"), metavar="DIR")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="run the input of a crash again")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.repeat is not None:
        from hostile.targets import TARGETS

        TARGETS[given.repeat.name.partition("-")[0]].run(given.repeat.read_bytes())
        print(f"{given.repeat}: refused or read, as it should be")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    if given.child:
        fuzz(given.child, given.seconds, given.corpus, str(given.crashes))
        return 0
    from hostile.targets import TARGETS

    names = [name for name in given.targets.split(",") if name] or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"--targets {', '.join(unknown)} — expected some of: {', '.join(TARGETS)}")
    given.crashes.mkdir(parents=True, exist_ok=True)
    before = set(given.crashes.iterdir())
    table = Table("target", "seconds", "inputs", "crashes")
    share = max(1, given.seconds // len(names))
    console, failed = Console(width=120), []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for name in progress.track(names, description="fuzzing"):
            tried, said = _child(name, share, given.crashes.resolve())
            found = sorted(set(given.crashes.iterdir()) - before)
            before |= set(found)
            table.add_row(name, str(share), f"{tried:,}", str(len(found) or bool(said) * 1))
            if found or said:
                failed.append((name, found, said))
    console.print(table)
    for name, found, said in failed:
        console.print(
            f"\n{name}:", *(f"python checks/fuzz.py --repeat {file}" for file in found), said, sep="\n", markup=False
        )
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
