import subprocess

import pytest

from zoo.datasets.digest import accepted, git_blob
from zoo.system.files import sha256


def test_sha256_of_nothing_is_the_published_value():
    """sha256 of the empty string, as in FIPS 180-4 test vectors."""
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(range(256)) * 300])
def test_git_blob_is_what_git_says(content):
    """The blob id is that of `git hash-object`."""
    try:
        known = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert git_blob(content) == f"git:{known.stdout.decode().strip()}"


def test_either_kind_of_digest_is_accepted():
    """One matching digest of any kind is enough; none at all accepts anything; no match refuses."""
    assert accepted(b"x", ["sha256:0", git_blob(b"x")])
    assert accepted(b"x", [sha256(b"x"), "git:0"])
    assert accepted(b"x", [])
    assert not accepted(b"x", [sha256(b"y"), git_blob(b"y")])
