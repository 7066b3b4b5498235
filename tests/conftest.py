"""What all tests share: the real data's folder, a cache of their own, signals that are heard, and quiet threads."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from registry import TABLES

# Deadlines measure the machine, not the code; a fixed sequence makes a failure repeatable.
settings.register_profile("zoo", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("zoo")


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard():
    """A Ctrl-C interrupts and a SIGTERM ends, here and in every process that tests start.

    A script's background job, and what `nohup` starts, ignores signals, as do its children; the zoo leaves it so.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Nothing a test does reaches the user's cache folder or the network."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path_factory.getbasetemp() / "zoo-cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")


@pytest.fixture(autouse=True)
def own_names():
    """Names that a test registers are gone after it."""
    before = {table.table: set(table.registered()) for table in TABLES.values()}
    yield
    for table in TABLES.values():
        for name in set(table.registered()) - before[table.table]:
            table.unregister(name)


@pytest.fixture(scope="session")
def zoo_data() -> Path:
    """The folder of real data sets, or a skip that says how to get one."""
    folder = os.environ.get("ZOO_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ZOO_DATA is not set to a folder of real data sets")
    return Path(folder)
