"""The code of the zoo that runs in this process: what a record says of it, and whether a record is of another."""

import hashlib
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from zoo import __version__

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("zoo", "registry")


@cache
def code() -> dict[str, Any]:
    """The zoo's version, a digest of its source files and, of a checkout, git's commit (None elsewhere)."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(file for package in _PACKAGES for file in (_ROOT / package).rglob("*.py")):
        digest.update(f"{file.relative_to(_ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return {"zoo": __version__, "commit": _commit(), "code": digest.hexdigest()}


def other_code(environment: Mapping[str, Any]) -> str | None:
    """Which other code of the zoo a record is of, in words; None where it is of the code of this process."""
    digest, commit = environment.get("code"), environment.get("commit")
    if digest == code()["code"]:
        return None
    if digest is None:
        return "code of a version that did not note which"
    return f"other code, commit {str(commit)[:10]}" if commit else f"other code, {digest}"


def _commit() -> str | None:
    if not (_ROOT / ".git").exists():  # installed, perhaps into an environment inside somebody's checkout
        return None
    try:
        asked = ["git", "-C", str(_ROOT), "rev-parse", "HEAD"]
        return subprocess.run(  # noqa: S603 - these words and no others
            asked, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
