"""Running the command as a user does: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
