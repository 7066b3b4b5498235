"""Running the command as a user does: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zoo.cli.main import main
from zoo.studies import run_study
from zoo.studies.processes import train_job

Zoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    """Run `zoo …` in an empty folder with an empty home; returns the finished process."""

    def run(*words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        command = [str(Path(sys.executable).with_name("zoo")), *map(str, words)]
        variables = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1", **(env or {})}
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=variables, check=False, timeout=300
        )

    return run


@dataclass(frozen=True)
class Done:
    """What a command came to: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def zoo_here(tmp_path, monkeypatch, capsys) -> Callable[..., Done]:
    """Run `zoo …` in this process, in an empty folder; much faster than `zoo`, to the same end."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Done(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def inline(pretend, monkeypatch) -> Callable[..., Any]:
    """Lets `zoo study run` train in this process; returns the executors that were made, and how."""
    made: list[tuple[Any, dict[str, Any]]] = []

    def use(act=lambda job: train_job(job, "cpu", 1)) -> list[tuple[Any, dict[str, Any]]]:
        def make(name: str, **how: Any) -> Any:
            made.append((pretend(act), {"name": name, **how}))
            return made[-1][0]

        monkeypatch.setattr(run_study, "make_executor", make)
        return made

    return use
