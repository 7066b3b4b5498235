"""Fixtures of the data set tests: where the real files are, and stores that never touch the network."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry import TABLES
from zoo.datasets.base import Data
from zoo.datasets.store import Store


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real data files, read only."""
    named = os.environ.get("ZOO_DATA")
    if not named:
        pytest.skip("ZOO_DATA is not set: it names the folder of real data files")
    return Path(named.split(os.pathsep)[0])


@pytest.fixture
def store(real: Path, tmp_path: Path) -> Store:
    """A store of the real files with an empty cache and no network."""
    return Store(folders=[real], cache=tmp_path / "cache", offline=True)


@pytest.fixture
def scratch(real: Path, tmp_path: Path) -> Callable[..., Path]:
    """A function that copies folders of the real data into a folder of this test's own, which it returns."""

    def copy(*folders: str) -> Path:
        for folder in folders:
            for file in (real / folder).rglob("*"):
                if file.is_file():
                    target = tmp_path / "scratch" / file.relative_to(real)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
        return tmp_path / "scratch"

    return copy


@pytest.fixture
def registered() -> Callable[[str], Callable[..., Data]]:
    """A function that returns the loader of a data set by its name."""
    return TABLES["datasets"].get
