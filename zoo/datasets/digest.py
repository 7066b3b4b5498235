"""Digests of file contents: what tells an original file from a truncated or a changed one."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

_SHA256 = "sha256:"
_GIT = "git:"
_CHUNK = 1 << 20


def sha256(content: bytes) -> str:
    """The content's digest as `sha256:<64 hex digits>`."""
    return _SHA256 + hashlib.sha256(content).hexdigest()


def sha256_of(file: Path) -> str:
    """The digest of a file's content as `sha256:<64 hex digits>`, without holding it in memory. Raises: OSError."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return _SHA256 + digest.hexdigest()


def git_blob(content: bytes) -> str:
    """The id that git gives a file of this content, as `git:<40 hex digits>`."""
    header = b"blob %d\0" % len(content)
    return _GIT + hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def accepted(content: bytes, digests: Sequence[str]) -> bool:
    """Whether the content has one of these digests; an empty list accepts anything."""
    if not digests or sha256(content) in digests:
        return True
    return any(digest.startswith(_GIT) for digest in digests) and git_blob(content) in digests
