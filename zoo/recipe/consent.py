"""Whose code may run: plug-ins are the user's to name; a recipe that names some has to be allowed to."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.errors import Problem, RecipeError
from zoo.recipe.several import several
from zoo.system.files import absolute
from zoo.untrusted import escape_controls

Plugins = Sequence[str | Path] | str | Path

EXPECTED = "--allow-plugins (allow_plugins=True) once you have read them, or --plugin FILE for each"


def consented(
    named: Iterable[str | Path],
    given: Plugins,
    *,
    known: Iterable[str | Path] = (),
    allow: bool,
    recipe: str,
    what: str = "recipe",
) -> list[Path]:
    """The plug-in files to run, each once: those that the user gave, then those that a recipe names.

    named: by the recipe, its parents, its study or its run folder. given: by the user, which is consent to these files:
    one that the recipe names is the same if it lies at the same place or has the same bytes, and the user's is run in
    its stead. known: those that were consented to before. allow: consent to whatever the recipe names.
    Raises: RecipeError that names the files which nobody allowed.
    """
    files = list(dict.fromkeys(_placed(file) for file in several(given)))
    digests = {digest for file in files if (digest := _digest(file))}
    others = [file for file in dict.fromkeys(map(_placed, named)) if file not in files]
    others = [file for file in others if _digest(file) not in digests]
    before = set(map(_placed, known))
    if refused := [escape_controls(file) for file in others if not allow and file not in before]:
        said = f"it wants to run code of its own: {', '.join(refused)} — expected {EXPECTED}"
        raise RecipeError(recipe, [Problem("plugins", said)], what)
    return [*files, *others]


def _placed(file: str | Path) -> Path:
    try:
        return absolute(file)
    except (OSError, ValueError, RuntimeError):  # links in a circle: refused as no file when it is run
        return Path(file)


def _digest(file: Path) -> str:
    """Of the content; empty if there is none to read, which running it will say."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    except (OSError, ValueError):
        return ""
