"""The code of the zoo that runs in this process, as records note it."""

import hashlib
import subprocess
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
    """Return the commit of git's HEAD; None of an installed package, or where git does not say."""
    git = ["git", "-C", str(_ROOT), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=True)  # noqa: S603 - nothing of it is given
        top, commit = done.stdout.splitlines()
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return commit if Path(top).resolve() == _ROOT else None
