"""A few seconds of the check that several processes may use one run folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "checks" / "shared.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_processes_on_one_folder():
    """Trainers that are killed and readers beside them: every call ends well or is told, and the next one goes on."""
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--seconds", "6"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 processes killed; 0 problems" in ended.stdout
