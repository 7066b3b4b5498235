"""Digests of file contents: what tells an original file from a truncated or a changed one."""

import hashlib
from collections.abc import Sequence

from zoo.system.files import sha256

_GIT = "git:"


def git_blob(content: bytes) -> str:
    """The id that git gives a file of this content, as `git:<40 hex digits>`."""
    header = b"blob %d\0" % len(content)
    return _GIT + hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def accepted(content: bytes, digests: Sequence[str]) -> bool:
    """Whether the content has one of these digests; an empty list accepts anything."""
    if not digests or sha256(content) in digests:
        return True
    return any(digest.startswith(_GIT) for digest in digests) and git_blob(content) in digests
