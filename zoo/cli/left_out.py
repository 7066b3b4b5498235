"""Runs among several that could not be read or computed: the others are done, and these are named."""

import sys
from collections.abc import Sequence
from pathlib import Path

from zoo.untrusted import escape_controls

LeftOut = list[tuple[Path, Exception]]  # run folders, and the user's error of each


def say_left_out(left: LeftOut, done: Sequence[object]) -> None:
    """On standard error, why each was left out. Raises: the first of the errors if nothing was done."""
    if left and not done:
        raise left[0][1]
    for path, error in left:
        print(escape_controls(f"left out: {path}: {error}", keep="\n\t"), file=sys.stderr)
