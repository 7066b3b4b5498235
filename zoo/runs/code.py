"""The code of the zoo that runs in this process, as records note it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.runs.record import Environment

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("zoo", "registry")


@cache
def code() -> dict[str, Any]:
    """The zoo's version, a digest of its source files and, of a checkout, git's commit (None elsewhere)."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(file for package in _PACKAGES for file in (_ROOT / package).rglob("*.py")):
        digest.update(f"{file.relative_to(_ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return {"zoo": __version__, "commit": _commit(), "code": digest.hexdigest()}


def other_code(environment: Environment) -> str | None:
    """The other code of the zoo that a record is of, in words; None where it is of the code of this process."""
    digest, commit = environment.code, environment.commit
    if digest == code()["code"]:
        return None
    if digest is None:
        return "code of a version that did not note which"
    return f"other code, commit {commit[:10]}" if commit else f"other code, {digest}"


def _commit() -> str | None:
    """Return the commit of git's HEAD, read from its files; None of an installed package, or where they do not say."""
    try:
        git = _ROOT / ".git"
        if git.is_file():  # of a worktree
            git = _ROOT / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        branch, common = head.removeprefix("ref: "), git / "commondir"
        shared = git / common.read_text(encoding="utf-8").strip() if common.exists() else git
        if (shared / branch).exists():
            return (shared / branch).read_text(encoding="utf-8").strip()
        packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {branch}")), None)
    except (OSError, UnicodeDecodeError):
        return None
