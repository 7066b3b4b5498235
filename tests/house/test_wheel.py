"""The wheel that users install has all that a training needs."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from source import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of an environment that has the wheel, and of this one the dependencies but not the project."""
    folder = tmp_path_factory.mktemp("wheel")
    run = lambda *words, cwd=folder: subprocess.run(words, cwd=cwd, check=True, capture_output=True)  # noqa: E731
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", "venv")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # A folder that such a file names is searched, but files like it in there are not followed: no editable install.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_first_command_runs_from_the_wheel(installed, tmp_path):
    """`zoo train hello` trains in an empty folder, by code and recipe from the wheel."""
    environment = {"PATH": str(installed.parent), "HOME": str(tmp_path), "ZOO_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def run(*words: str | Path) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(installed.with_name("zoo"), "train", "hello", "training.duration=2", "--runs", "runs")
    assert list(tmp_path.glob("runs/hello/*/seed-0/result.json"))
    assert run(installed, "-c", "import zoo; print(zoo.__file__)").startswith(str(installed.parents[1]))
