"""Which C library there is."""

import platform

import pytest

from zoo.system.glibc import glibc


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
