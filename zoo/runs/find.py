"""Finished runs below folders."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.errors import RunError
from zoo.recipe.values import as_list
from zoo.runs import folder
from zoo.system.files import expanded

_ASIDE = re.compile(r"\.(previous|unfinished|failed)-\d+$")


def find(paths: Sequence[str | Path], verb: str) -> Iterator[Path]:
    """The folders of finished runs, each once.

    paths: run folders, or folders above some; runs that were moved aside are passed over unless named themselves.
    verb: who asks, for the message. Raises: RunError if there is no finished run in or below one of the paths.
    """
    seen: set[Path] = set()
    for given in map(expanded, as_list(paths)):
        if folder.is_finished(given):
            below = [given]
        else:
            below = sorted(finished_below(given), key=_natural)
            below = [path for path in below if not any(map(_ASIDE.search, path.relative_to(given).parts))]
        if not below:
            raise RunError(
                f"{verb} {given} — no finished run in it or below — expected run folders, or folders above some "
                f"(a finished run has a {folder.RESULT})"
            )
        for path in below:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def finished_below(path: Path) -> list[Path]:
    """The folders of finished runs in or below one, in no order; one that is moved or arrives meanwhile is no error."""
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]  # what is not whole yet
        if folder.RESULT in files:
            found.append(Path(place))
    return found


def _natural(path: Path) -> list[str | int]:
    """Sorts seed-2 before seed-10."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", str(path)))]
